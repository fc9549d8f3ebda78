//! Archives: the same tree gives the same bytes, whoever makes them and when.
//!
//! Entries come in the order of their paths' bytes, owned by nobody in particular (0), with modes and times in whole
//! seconds. A file with more than one name is written under the first, the others are links to that; holes are zeros;
//! extended attributes are left out, and so are sockets and devices, which are returned.

use std::io::{Read, Write};

use rustc_hash::FxHashMap;
use tar::{Builder, EntryType, Header};

use crate::model::{BytePath, Ino, Kind};
use crate::ops::Error;
use crate::ops::changes::{Empty, Scope, SnapshotEntry, TreeView, changes};
use crate::ops::error::Result;
use crate::ops::live::LiveError;
use crate::ops::states::StateView;

/// Writes everything in scope; returns what an archive cannot hold.
pub(super) fn write(tree: &StateView, scope: &Scope, out: &mut dyn Write) -> Result<Vec<BytePath>> {
    let mut left_out = Vec::new();
    let mut archive = Builder::new(out);
    let mut named: FxHashMap<Ino, BytePath> = FxHashMap::default();
    for change in changes(&Empty, tree, scope).map_err(LiveError::from)? {
        let Some(entry) = &change.new else { continue };
        let is_linked = entry.attr.kind == Kind::File && entry.attr.nlink > 1;
        if let Some(first) = named.get(&entry.attr.ino).filter(|_| is_linked) {
            let mut header = header(entry, EntryType::Link);
            let linked = archive.append_link(&mut header, change.path.as_path(), first.as_path());
            linked.map_err(|source| Error::Io { path: change.path.as_path().into(), source })?;
            continue;
        }
        if is_linked {
            named.insert(entry.attr.ino, change.path.clone());
        }
        match kind(entry.attr.kind) {
            Some(kind) => put(&mut archive, &change.path, entry, kind, tree)
                .map_err(|source| Error::Io { path: change.path.as_path().into(), source })?,
            None => left_out.push(change.path),
        }
    }
    archive.finish().map_err(|source| Error::Io { path: "(archive)".into(), source })?;
    Ok(left_out)
}

fn kind(kind: Kind) -> Option<EntryType> {
    match kind {
        Kind::File => Some(EntryType::Regular),
        Kind::Dir => Some(EntryType::Directory),
        Kind::Symlink => Some(EntryType::Symlink),
        Kind::Fifo => Some(EntryType::Fifo),
        Kind::Socket | Kind::CharDevice | Kind::BlockDevice => None,
    }
}

fn put(
    archive: &mut Builder<&mut dyn Write>,
    path: &BytePath,
    entry: &SnapshotEntry,
    kind: EntryType,
    tree: &StateView,
) -> std::io::Result<()> {
    let mut header = header(entry, kind);
    let mtime_secs = entry.attr.mtime.secs;
    if mtime_secs < 0 {
        // The header has no room for a time before 1970; POSIX has a record for it (pax, `mtime`).
        archive.append_pax_extensions([("mtime", mtime_secs.to_string().as_bytes())])?;
    }
    match entry.target() {
        Some(target) => {
            let target: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(target);
            archive.append_link(&mut header, path.as_path(), target)
        }
        None if kind == EntryType::Regular => {
            header.set_size(entry.attr.size);
            archive.append_data(&mut header, path.as_path(), Content { tree, entry, at: 0 })
        }
        None => archive.append_data(&mut header, path.as_path(), std::io::empty()),
    }
}

fn header(entry: &SnapshotEntry, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Symlink { 0o777 } else { entry.attr.perm.into() });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(entry.attr.mtime.secs).unwrap_or(0));
    header.set_size(0);
    header
}

/// The bytes of a file.
pub(super) struct Content<'a> {
    pub(super) tree: &'a dyn TreeView,
    pub(super) entry: &'a SnapshotEntry,
    pub(super) at: u64,
}

impl Read for Content<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.entry.attr.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = buf.len().min(left);
        let count = self.tree.read(self.entry, self.at, &mut buf[..want]).map_err(std::io::Error::other)?;
        self.at += count as u64;
        Ok(count)
    }
}
