//! Importing an archive: a tar file, plain or compressed, from a file or a stream, becomes a frozen root in the store.
//!
//! Archives are not trusted. Nothing of one is ever written to a directory: entries go into an
//! [`Assembly`](super::assemble), which knows plain names only. What is decompressed is counted against a limit, devices
//! and owners are taken only by root, and a header that does not end is refused.

mod form;
mod limit;
mod pax;

use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

use crate::model::{BytePath, Content, Kind, RootId, Timestamp, Totals};
use crate::ops::assemble::{self, AssembleError, Assembly, Feed, Item, Meta, Settings, Slot, store_contents};
use crate::ops::import::{ImportError, ImportProgress};
use crate::ops::rules::Globs;
use crate::store::content::ContentWriter;
use crate::store::{Hold, StoreError, Writer};

pub(in crate::ops) use form::peek;
pub use form::{Compression, Form, recognise};

use limit::{Allowance, Limited, Stopped};
use pax::Pax;

/// How much of a large file is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Runs of zeros of this length in files that are said to be sparse become holes.
const HOLE_BYTES: usize = 4096;

/// What to take, and for whom.
#[derive(Debug)]
pub struct ArchiveOptions {
    /// What to leave out.
    pub exclude: Globs,
    /// The most bytes that the archive may have when it is decompressed.
    pub max_bytes: u64,
    /// Whether owners, devices and set-id bits are taken as they are; otherwise all is this user's.
    pub as_root: bool,
    /// The user and group that imports.
    pub owner: (u32, u32),
}

/// An archive that was imported. The root is durable.
#[derive(Debug)]
pub struct ImportedArchive {
    /// The tree.
    pub root: RootId,
    /// How much it holds.
    pub totals: Totals,
    /// Entries that were not taken, and why, a line each.
    pub left_out: Vec<String>,
}

/// Imports an archive. Paths that `previous` has too keep their inode numbers.
///
/// # Errors
/// [`ImportError`]. What was stored until then stays in the store.
pub fn import(
    hold: &Hold,
    from: impl Read,
    compression: Compression,
    previous: Option<RootId>,
    options: &ArchiveOptions,
    progress: &dyn ImportProgress,
    cancel: &AtomicBool,
) -> Result<ImportedArchive, ImportError> {
    let store = hold.store();
    let previous = previous.and_then(|id| store.root(id).ok());
    let writer = hold.writer()?;
    let allowance = Allowance::new(options.max_bytes);
    let implied =
        Meta { perm: 0o755, uid: options.owner.0, gid: options.owner.1, mtime: Timestamp::new(0, 0), xattrs: None };
    let mut assembly = Assembly::new(implied);
    let read = store_contents(&writer, |feed| {
        let inner = form::decompress(from, compression).map_err(|source| ImportError::Archive { at: None, source })?;
        let limited = Limited::new(inner, allowance.clone(), cancel);
        let mut reader = Reader {
            options,
            progress,
            feed,
            writer: &writer,
            allowance: &allowance,
            assembly: &mut assembly,
            left_out: Vec::new(),
            piece: Vec::new(),
        };
        reader.entries(limited)?;
        Ok(reader.left_out)
    });
    let (left_out, contents) = read.map_err(|error| why(error, &allowance, options.max_bytes))?;
    for (slot, content) in contents {
        assembly.fill(slot, content);
    }
    let built = assembly.finish(store, &writer, previous.as_ref(), Settings::default())?;
    writer.finish()?;
    Ok(ImportedArchive { root: built.root, totals: built.totals, left_out })
}

/// What the reader gave up for goes before what that looked like further up.
fn why(error: ImportError, allowance: &Allowance, max_bytes: u64) -> ImportError {
    match allowance.stopped() {
        Some(Stopped::TooLarge) => ImportError::TooLarge { max_bytes },
        Some(Stopped::Interrupted) => ImportError::Interrupted,
        Some(Stopped::LongHeader) => {
            ImportError::Archive { at: None, source: io::Error::other("the headers of an entry do not end") }
        }
        None => error,
    }
}

struct Reader<'a> {
    options: &'a ArchiveOptions,
    progress: &'a dyn ImportProgress,
    feed: &'a Feed<'a>,
    writer: &'a Writer,
    allowance: &'a Allowance,
    assembly: &'a mut Assembly,
    left_out: Vec<String>,
    piece: Vec<u8>,
}

impl Reader<'_> {
    fn entries(&mut self, from: impl Read) -> Result<(), ImportError> {
        let broken = |source| ImportError::Archive { at: None, source };
        let mut archive = tar::Archive::new(from);
        let mut entries = archive.entries().map_err(broken)?;
        loop {
            self.allowance.expect_headers();
            let Some(entry) = entries.next() else { break };
            let mut entry = entry.map_err(broken)?;
            self.allowance.expect_content();
            self.entry(&mut entry)?;
            // So that what is read before the next entry are headers.
            io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
        }
        // What was compressed has its checksum at the end.
        self.allowance.expect_content();
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
        Ok(())
    }

    fn entry(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), ImportError> {
        let named = entry.path_bytes().into_owned();
        let broken = |source| ImportError::Archive { at: Some(named.clone().into()), source };
        let mut pax = Pax::of(entry).map_err(broken)?;
        let sparse = pax.sparse.take();
        let path = assemble::path(sparse.as_ref().and_then(|sparse| sparse.name.as_ref()).unwrap_or(&named))?;
        let kind = entry.header().entry_type();
        if self.is_excluded(&path, kind.is_dir()) {
            return Ok(());
        }
        let meta = self.meta(entry.header(), pax).map_err(broken)?;
        self.progress.found(u64::from(!kind.is_dir()), 0);
        match kind {
            tar::EntryType::Directory => {
                self.assembly.put(&path, meta, Item::Dir)?;
            }
            tar::EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default();
                self.assembly.link(&path, &assemble::path(&target)?)?;
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                self.symlink(&path, meta, target)?;
            }
            tar::EntryType::Fifo => {
                self.assembly.put(&path, meta, Item::Special { kind: Kind::Fifo, rdev: 0 })?;
            }
            tar::EntryType::Char | tar::EntryType::Block => {
                let rdev = device(entry.header()).map_err(broken)?;
                let kind = if kind == tar::EntryType::Char { Kind::CharDevice } else { Kind::BlockDevice };
                self.device(&path, meta, kind, rdev)?;
            }
            tar::EntryType::XGlobalHeader => {}
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => match sparse {
                Some(sparse) => self.mapped(&path, meta, sparse.len_bytes, entry)?,
                None => self.file(&path, meta, entry, kind == tar::EntryType::GNUSparse)?,
            },
            other => {
                self.leave_out(
                    &path,
                    &format!("entries of type `{}` are not known", (other.as_byte() as char).escape_debug()),
                );
            }
        }
        Ok(())
    }

    fn meta(&self, header: &tar::Header, pax: Pax) -> io::Result<Meta> {
        let old = header.as_old();
        let seconds = || {
            let seconds = or_blank(&old.mtime, header.mtime())?;
            Ok::<_, io::Error>(Timestamp::new(i64::try_from(seconds).unwrap_or(0), 0))
        };
        let mtime = pax.mtime.map_or_else(seconds, Ok)?;
        let perm = (or_blank(&old.mode, header.mode())? & 0o7777) as u16;
        if !self.options.as_root {
            let (uid, gid) = self.options.owner;
            return Ok(Meta { perm: perm & 0o1777, uid, gid, mtime, xattrs: user_xattrs(pax.xattrs) });
        }
        let id = |said: Option<u32>, number: io::Result<u64>| match said {
            Some(id) => Ok(id),
            None => u32::try_from(number?).map_err(|_| io::Error::other("an owner is no number of 32 bits")),
        };
        let uid = id(pax.uid, or_blank(&old.uid, header.uid()))?;
        let gid = id(pax.gid, or_blank(&old.gid, header.gid()))?;
        Ok(Meta { perm, uid, gid, mtime, xattrs: pax.xattrs })
    }

    fn symlink(&mut self, path: &BytePath, meta: Meta, target: Vec<u8>) -> Result<(), ImportError> {
        if target.is_empty() || target.len() > 4095 || target.contains(&0) {
            self.leave_out(path, "it is a symbolic link whose target makes no sense");
            return Ok(());
        }
        self.assembly.put(path, Meta { perm: 0o777, ..meta }, Item::Symlink(target.into()))?;
        Ok(())
    }

    fn device(&mut self, path: &BytePath, meta: Meta, kind: Kind, rdev: u32) -> Result<(), ImportError> {
        if self.options.as_root {
            self.assembly.put(path, meta, Item::Special { kind, rdev })?;
        } else {
            self.leave_out(path, "only root can make device nodes");
        }
        Ok(())
    }

    /// A file whose bytes are all there.
    fn file(
        &mut self,
        path: &BytePath,
        meta: Meta,
        entry: &mut tar::Entry<'_, impl Read>,
        sparse: bool,
    ) -> Result<(), ImportError> {
        let len_bytes = entry.size();
        let slot = self.assembly.put(path, meta, Item::File { content: Content::Hole, len_bytes })?;
        let broken = |source| ImportError::Archive { at: Some(path.as_bytes().into()), source };
        if !sparse && len_bytes <= Feed::MAX_BYTES {
            let mut bytes = vec![0; len_bytes as usize];
            entry.read_exact(&mut bytes).map_err(broken)?;
            return self.give(slot, bytes);
        }
        let mut out = ContentWriter::new(self.writer);
        self.piece.resize(PIECE_BYTES, 0);
        while out.len_bytes() < len_bytes {
            let want = PIECE_BYTES.min(usize::try_from(len_bytes - out.len_bytes()).unwrap_or(PIECE_BYTES));
            entry.read_exact(&mut self.piece[..want]).map_err(broken)?;
            if sparse {
                // The bytes of holes were not read from anywhere.
                self.allowance
                    .take(want as u64)
                    .map_err(|_| ImportError::TooLarge { max_bytes: self.options.max_bytes })?;
                put_sparse(&mut out, &self.piece[..want])?;
            } else {
                out.data(&self.piece[..want])?;
            }
        }
        self.assembly.fill(slot, out.finish()?);
        self.progress.stored(1, len_bytes);
        Ok(())
    }

    /// A sparse file with a map of its data before it.
    fn mapped(
        &mut self,
        path: &BytePath,
        meta: Meta,
        len_bytes: u64,
        entry: &mut impl Read,
    ) -> Result<(), ImportError> {
        let broken = |source| ImportError::Archive { at: Some(path.as_bytes().into()), source };
        let runs = pax::sparse_map(entry, len_bytes).map_err(broken)?;
        let slot = self.assembly.put(path, meta, Item::File { content: Content::Hole, len_bytes })?;
        let mut out = ContentWriter::new(self.writer);
        self.piece.resize(PIECE_BYTES, 0);
        for (offset, length) in runs {
            out.hole(offset - out.len_bytes())?;
            while out.len_bytes() < offset + length {
                let want = PIECE_BYTES.min(usize::try_from(offset + length - out.len_bytes()).unwrap_or(PIECE_BYTES));
                entry.read_exact(&mut self.piece[..want]).map_err(broken)?;
                out.data(&self.piece[..want])?;
            }
        }
        out.hole(len_bytes - out.len_bytes())?;
        self.assembly.fill(slot, out.finish()?);
        self.progress.stored(1, len_bytes);
        Ok(())
    }

    fn give(&mut self, slot: Slot, bytes: Vec<u8>) -> Result<(), ImportError> {
        let len_bytes = bytes.len() as u64;
        // When storing failed the reason is reported by whoever collects the contents.
        match self.feed.give(slot, bytes) {
            true => self.progress.stored(1, len_bytes),
            false => return Err(ImportError::Interrupted),
        }
        Ok(())
    }

    fn is_excluded(&self, path: &BytePath, is_dir: bool) -> bool {
        if self.options.exclude.is_empty() || path.is_root() {
            return false;
        }
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if self.options.exclude.matches(dir.as_bytes(), true) {
                return true;
            }
            above = dir.parent();
        }
        self.options.exclude.matches(path.as_bytes(), is_dir)
    }

    fn leave_out(&mut self, path: &BytePath, why: &str) {
        self.left_out.push(format!("`{}`: {why}", path.as_bytes().escape_ascii()));
    }
}

/// Appends bytes of a sparse file: runs of zeros become holes.
fn put_sparse(out: &mut ContentWriter<'_>, bytes: &[u8]) -> Result<(), StoreError> {
    for block in bytes.chunks(HOLE_BYTES) {
        match block.len() == HOLE_BYTES && block.iter().all(|&byte| byte == 0) {
            true => out.hole(block.len() as u64)?,
            false => out.data(block)?,
        }
    }
    Ok(())
}

/// A number of a header; a field that was left blank stands for 0.
fn or_blank<T: Default>(field: &[u8], number: io::Result<T>) -> io::Result<T> {
    match field.iter().all(|byte| matches!(byte, 0 | b' ')) {
        true => Ok(T::default()),
        false => number,
    }
}

/// The attributes that an ordinary user can set.
fn user_xattrs(xattrs: Option<crate::model::Xattrs>) -> Option<crate::model::Xattrs> {
    let kept: std::collections::BTreeMap<_, _> =
        xattrs?.iter().filter(|(name, _)| name.starts_with(b"user.")).map(|(n, v)| (n.clone(), v.clone())).collect();
    (!kept.is_empty()).then(|| std::sync::Arc::new(kept))
}

/// The kernel's 32-bit encoding of a device number (`new_encode_dev` in `include/linux/kdev_t.h`).
fn device(header: &tar::Header) -> io::Result<u32> {
    let (major, minor) = (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
    Ok((minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12)
}

impl From<AssembleError> for ImportError {
    fn from(error: AssembleError) -> Self {
        match error {
            AssembleError::Store(error) => Self::Store(error),
            error => Self::Entry(error),
        }
    }
}
