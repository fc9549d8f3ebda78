//! Sealing: a session's state at one moment becomes a frozen tree in the store.
//!
//! The cost is that of what changed since the last seal: a [`Memo`] keeps what earlier ones stored. The session goes on
//! meanwhile, because a snapshot does not change. Nothing here makes anything durable or refers to it: the caller
//! finishes the writer, then says in the catalog what the root is.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Body, Content, DirRef, Entry, Ino, ROOT_INO, Root};
use crate::overlay::{self, Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry, Upper, Whence};
use crate::store::content::{ContentWriter, put_small};
use crate::store::tree::write_dir;
use crate::store::{Store, StoreError, Writer};

/// How much of a file is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What earlier seals of the same mounted session stored, by inode.
#[derive(Debug, Default)]
pub struct Memo {
    files: FxHashMap<Ino, Content>,
    dirs: FxHashMap<Ino, DirRef>,
}

/// Why a seal failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The session's content could not be read.
    #[error("reading the session: {0}")]
    Read(#[from] overlay::Error),
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores a snapshot's tree and returns its root, which the writer has but nobody refers to yet.
///
/// # Errors
/// [`SealError`]; the memo is then as good as before.
pub fn seal<U: Upper>(snapshot: &Snapshot<Store, U>, writer: &Writer, memo: &mut Memo) -> Result<Root, SealError> {
    let mut sealer = Sealer { snapshot, writer, unsealed: snapshot.unsealed(), memo, piece: Vec::new() };
    let root = snapshot.root();
    let dir = match root.body {
        SnapshotBody::Dir(dir) => sealer.dir(dir)?,
        _ => return Err(overlay::Error::NotDir.into()),
    };
    Ok(Root { attr: root.attr, dir, xattrs: root.xattrs, next_ino: snapshot.next_ino(), totals: snapshot.totals() })
}

struct Sealer<'a, U> {
    snapshot: &'a Snapshot<Store, U>,
    writer: &'a Writer,
    unsealed: FxHashSet<Ino>,
    memo: &'a mut Memo,
    piece: Vec<u8>,
}

impl<U: Upper> Sealer<'_, U> {
    fn dir(&mut self, dir: SnapshotDir) -> Result<DirRef, SealError> {
        let ino = match dir {
            SnapshotDir::Frozen(dir) => return Ok(dir),
            SnapshotDir::Changed { ino, .. } => ino,
        };
        if !self.unsealed.contains(&ino)
            && let Some(sealed) = self.memo.dirs.get(&ino)
        {
            return Ok(*sealed);
        }
        let mut entries = Vec::new();
        for entry in self.snapshot.list(dir)? {
            let body = self.body(&entry)?;
            entries.push(Entry { name: entry.name, attr: entry.attr, body, xattrs: entry.xattrs });
        }
        let sealed = write_dir(self.writer, entries)?;
        self.memo.dirs.insert(ino, sealed);
        Ok(sealed)
    }

    fn body(&mut self, entry: &SnapshotEntry) -> Result<Body, SealError> {
        Ok(match &entry.body {
            SnapshotBody::File(Some(content)) => Body::File(*content),
            SnapshotBody::File(None) => Body::File(self.file(entry)?),
            SnapshotBody::Dir(dir) => Body::Dir(self.dir(*dir)?),
            SnapshotBody::Symlink(target) => Body::Symlink(target.clone()),
            SnapshotBody::Special => Body::Special,
        })
    }

    fn file(&mut self, entry: &SnapshotEntry) -> Result<Content, SealError> {
        let ino = entry.attr.ino;
        if !self.snapshot.is_touched(ino)
            && let Some(content) = self.memo.files.get(&ino)
        {
            return Ok(*content);
        }
        let content = self.store_file(entry)?;
        self.memo.files.insert(ino, content);
        Ok(content)
    }

    fn store_file(&mut self, entry: &SnapshotEntry) -> Result<Content, SealError> {
        let size = entry.attr.size;
        self.piece.resize(PIECE_BYTES.min(usize::try_from(size).unwrap_or(PIECE_BYTES)), 0);
        let mut out = ContentWriter::new(self.writer);
        let mut at = 0;
        while at < size {
            let data = self.snapshot.seek(entry, at, Whence::Data)?.unwrap_or(size);
            out.hole(data - at)?;
            let end = match data < size {
                true => self.snapshot.seek(entry, data, Whence::Hole)?.unwrap_or(size),
                false => size,
            };
            at = data;
            if (data, end) == (0, size) && end <= self.piece.len() as u64 {
                self.snapshot.read(entry, 0, &mut self.piece)?;
                return Ok(put_small(self.writer, &self.piece)?);
            }
            while at < end {
                let want = self.piece.len().min(usize::try_from(end - at).unwrap_or(PIECE_BYTES));
                self.snapshot.read(entry, at, &mut self.piece[..want])?;
                out.data(&self.piece[..want])?;
                at += want as u64;
            }
        }
        Ok(out.finish()?)
    }
}

impl Memo {
    /// Forgets inodes that the session has no more.
    pub fn retain(&mut self, lives: impl Fn(Ino) -> bool) {
        self.files.retain(|ino, _| lives(*ino));
        self.dirs.retain(|ino, _| *ino == ROOT_INO || lives(*ino));
    }
}
