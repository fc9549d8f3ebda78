//! Writes a frozen tree below a directory that nobody else uses, and tells how its files came out there.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::Ordering;

use rustc_hash::FxHashMap;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, XattrFlags, chownat, fchmod, fsetxattr, ftruncate,
    linkat, lsetxattr, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;

use crate::model::{Attr, Body, BytePath, Content, Entry, Ino, Kind, ROOT_INO, Root, Totals};
use crate::ops::error::{Error, Result};
use crate::ops::import::Seen;
use crate::ops::live::LiveError;
use crate::ops::source_import::Watch;
use crate::overlay::{Lower, Whence};
use crate::store::{Store, Writer, tree};

use super::reflink::Reflinks;

/// How much of a file is written at a time.
const BLOCK_BYTES: usize = 1 << 20;

pub(super) struct TreeWriter<'a> {
    store: &'a Store,
    objects: &'a Writer,
    reflinks: Option<Reflinks>,
    watch: Watch<'a>,
    top: OwnedFd,
    as_root: bool,
    /// The first name of each inode that has several, and how it came out.
    links: FxHashMap<Ino, (BytePath, Attr)>,
    buf: Vec<u8>,
    cloned: u64,
    max_ino: Ino,
    totals: Totals,
    pub(super) left_out: Vec<String>,
}

/// Where an entry goes.
struct Place<'a> {
    dir: &'a OwnedFd,
    path: &'a BytePath,
    entry: &'a Entry,
}

impl<'a> TreeWriter<'a> {
    pub(super) fn new(
        store: &'a Store,
        objects: &'a Writer,
        reflinks: Option<Reflinks>,
        watch: Watch<'a>,
        top: &Path,
    ) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(CWD, top, flags, Mode::empty());
        let top = opened.map_err(|errno| Error::Io { path: top.to_owned(), source: errno.into() })?;
        Ok(Self {
            store,
            objects,
            reflinks,
            watch,
            top,
            as_root: rustix::process::geteuid().is_root(),
            links: FxHashMap::default(),
            buf: vec![0; BLOCK_BYTES],
            cloned: 0,
            max_ino: ROOT_INO,
            totals: Totals::default(),
            left_out: Vec::new(),
        })
    }

    pub(super) fn cloned(&self) -> u64 {
        self.cloned
    }

    /// Writes the tree; returns it with the numbers and times that its files have now.
    pub(super) fn write(&mut self, root: &Root) -> Result<Root> {
        let top = self.top.try_clone().map_err(|source| Error::Io { path: "/".into(), source })?;
        let entry = root.as_entry();
        let path = BytePath::root();
        let dir = self.dir_content(&top, &path, root.dir)?;
        let attr = self.finish(&Place { dir: &top, path: &path, entry: &entry }, Some(&top))?;
        Ok(Root {
            attr: Attr { ino: ROOT_INO, ..attr },
            dir,
            xattrs: root.xattrs.clone(),
            next_ino: self.max_ino + 1,
            totals: self.totals,
        })
    }

    fn dir_content(
        &mut self,
        fd: &OwnedFd,
        path: &BytePath,
        dir: crate::model::DirRef,
    ) -> Result<crate::model::DirRef> {
        self.totals.dirs += 1;
        let entries: std::result::Result<Vec<_>, _> = tree::entries(self.store, dir).collect();
        let mut written = Vec::new();
        for entry in entries.map_err(|error| LiveError::from(crate::overlay::Error::from(error)))? {
            if self.watch.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let path = path.join(&entry.name);
            let place = Place { dir: fd, path: &path, entry: &entry };
            written.extend(self.entry(&place)?);
        }
        Ok(tree::write_dir(self.objects, written)?)
    }

    /// Writes one entry; `None` if it cannot be had here, which is noted.
    fn entry(&mut self, place: &Place<'_>) -> Result<Option<Entry>> {
        let entry = place.entry;
        let name = entry.name.as_bytes();
        let failed = |errno: Errno| io_error(place.path, errno);
        if let Some((first, attr)) = self.links.get(&entry.attr.ino) {
            linkat(&self.top, first.as_bytes(), place.dir, name, AtFlags::empty()).map_err(failed)?;
            return Ok(Some(Entry { attr: attr.clone(), ..entry.clone() }));
        }
        let mut body = entry.body.clone();
        let mode = Mode::from_raw_mode(0o600);
        let attr = match &entry.body {
            Body::Dir(dir) => {
                mkdirat(place.dir, name, Mode::RWXU).map_err(failed)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = openat(place.dir, name, flags, Mode::empty()).map_err(failed)?;
                body = Body::Dir(self.dir_content(&fd, place.path, *dir)?);
                self.finish(place, Some(&fd))?
            }
            Body::File(content) => {
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = openat(place.dir, name, flags, mode).map_err(failed)?;
                self.file_content(place, &fd, content)?;
                self.finish(place, Some(&fd))?
            }
            Body::Symlink(target) => {
                symlinkat(&**target, place.dir, name).map_err(failed)?;
                self.finish(place, None)?
            }
            Body::Special => {
                let kind = FileType::from_raw_mode(entry.attr.mode());
                match mknodat(place.dir, name, kind, mode, u64::from(entry.attr.rdev)) {
                    Err(Errno::PERM) => {
                        self.note(place.path, "a device, which only root can make");
                        return Ok(None);
                    }
                    made => made.map_err(failed)?,
                }
                self.finish(place, None)?
            }
        };
        self.count(place, &attr);
        Ok(Some(Entry { attr, body, ..entry.clone() }))
    }

    fn count(&mut self, place: &Place<'_>, attr: &Attr) {
        self.max_ino = self.max_ino.max(attr.ino);
        if attr.kind == Kind::Dir {
            return;
        }
        self.totals.files += 1;
        let size = if attr.kind == Kind::File { attr.size } else { 0 };
        self.totals.size_bytes += size;
        self.watch.progress.stored(1, size);
        if place.entry.attr.nlink > 1 {
            self.links.insert(place.entry.attr.ino, (place.path.clone(), attr.clone()));
        }
    }

    /// Writes the bytes, leaving holes where there are holes.
    fn file_content(&mut self, place: &Place<'_>, fd: &OwnedFd, content: &Content) -> Result<()> {
        let len = place.entry.attr.size;
        if len == 0 {
            return Ok(());
        }
        if self.reflinks.as_ref().is_some_and(|reflinks| reflinks.share(place.path, place.entry, fd.as_fd())) {
            self.cloned += 1;
            return Ok(());
        }
        let failed = |errno: Errno| io_error(place.path, errno);
        let unread = |error| Error::from(LiveError::from(crate::overlay::Error::from(error)));
        ftruncate(fd, 0).and_then(|()| ftruncate(fd, len)).map_err(failed)?;
        let mut at = 0;
        while let Some(start) = self.store.seek(content, len, at, Whence::Data).map_err(unread)? {
            let end = self.store.seek(content, len, start, Whence::Hole).map_err(unread)?.unwrap_or(len);
            at = start;
            while at < end {
                let count = (end - at).min(BLOCK_BYTES as u64) as usize;
                self.store.read(content, len, at, &mut self.buf[..count]).map_err(unread)?;
                write_at(fd, at, &self.buf[..count]).map_err(failed)?;
                at += count as u64;
            }
        }
        Ok(())
    }

    /// Sets owner, attributes, mode and times, in the order in which the one does not undo the other. `fd` is what is
    /// open of it; a link or a special file is not opened. Returns how it came out.
    fn finish(&mut self, place: &Place<'_>, fd: Option<&OwnedFd>) -> Result<Attr> {
        let failed = |errno: Errno| io_error(place.path, errno);
        let (entry, name) = (place.entry, place.entry.name.as_bytes());
        let (dir, name, empty) = match fd {
            Some(fd) => (fd, &b""[..], AtFlags::EMPTY_PATH),
            None => (place.dir, name, AtFlags::SYMLINK_NOFOLLOW),
        };
        if self.as_root {
            let (uid, gid) = (Uid::from_raw(entry.attr.uid), Gid::from_raw(entry.attr.gid));
            chownat(dir, name, Some(uid), Some(gid), empty | AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        }
        for (attribute, value) in entry.xattrs.iter().flat_map(|all| all.iter()) {
            let set = match fd {
                Some(fd) => fsetxattr(fd, &**attribute, value, XattrFlags::empty()),
                None => lsetxattr(through_proc(dir, name), &**attribute, value, XattrFlags::empty()),
            };
            if set.is_err() {
                self.note(place.path, &format!("its attribute `{}`", attribute.escape_ascii()));
            }
        }
        // A set-id bit means something else when the owner is another one.
        let mask = if self.as_root { 0o7777 } else { 0o1777 };
        let mode = Mode::from_raw_mode(u32::from(entry.attr.perm & mask));
        match fd {
            Some(fd) => fchmod(fd, mode).map_err(failed)?,
            None if entry.attr.kind == Kind::Symlink => {}
            None => rustix::fs::chmodat(dir, name, mode, AtFlags::empty()).map_err(failed)?,
        }
        let time = |time: crate::model::Timestamp| Timespec { tv_sec: time.secs, tv_nsec: i64::from(time.nanos) };
        let times = Timestamps { last_access: time(entry.attr.atime), last_modification: time(entry.attr.mtime) };
        match fd {
            Some(fd) => rustix::fs::futimens(fd, &times).map_err(failed)?,
            None => utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?,
        }
        let seen = Seen::at(dir, name).map_err(failed)?;
        // All names are there when the tree is imported; the length of a link is not counted by file systems alike.
        Ok(Attr { nlink: entry.attr.nlink, size: entry.attr.size, ..seen.attr })
    }

    fn note(&mut self, path: &BytePath, what: &str) {
        self.left_out.push(format!("`{}`: {what}", path.as_bytes().escape_ascii()));
    }
}

/// There is no call that sets attributes of what is not opened by an open directory and a name.
fn through_proc(dir: &OwnedFd, name: &[u8]) -> Vec<u8> {
    [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat()
}

fn io_error(path: &BytePath, errno: Errno) -> Error {
    Error::Io { path: path.as_path().to_owned(), source: errno.into() }
}

fn write_at(fd: &OwnedFd, mut at: u64, mut bytes: &[u8]) -> std::result::Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(fd, bytes, at) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => {
                bytes = &bytes[count..];
                at += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
