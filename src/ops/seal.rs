//! Sealing: a session's state at one moment becomes a frozen tree in the store.
//!
//! The cost is that of what changed since the last seal: a [`Memo`] keeps what earlier ones stored. The session goes on
//! meanwhile, because a snapshot does not change. Nothing here makes anything durable or refers to it: the caller
//! finishes the writer, and then lets the memo [adopt](Memo::adopt) what was stored, and the catalog name the root.
//!
//! The tree depends on the state alone, and not on what was sealed before: the same bytes are cut into the same chunks
//! as by an import, and the same entries are the same nodes.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Body, Content, DirRef, Entry, Ino, ROOT_INO, Root};
use crate::overlay::{self, FileMark, Links, Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry, Upper, Whence};
use crate::store::content::{ContentWriter, OldCuts, Rewritten, put_small, rewrite};
use crate::store::tree::write_dir;
use crate::store::{Store, StoreError, Writer};

use super::parallel::in_parallel;

/// How much of a file is read at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// From this many bytes on a second thread pays; a file counts as some bytes more than it has.
const SHARED_BYTES: u64 = 4 << 20;
const FILE_BYTES: u64 = 16 << 10;

/// A file of this many bytes is not read anew as a whole when a part of it changed.
const LARGE_BYTES: u64 = 4 << 20;

/// What earlier seals of the same open session stored, by inode.
#[derive(Debug, Default)]
pub struct Memo {
    /// Names of changed files in frozen directories.
    pub links: Links,
    stored: Stored,
}

/// What one seal stored. The writer that took it has to finish before anybody relies on it.
#[derive(Debug, Default)]
pub struct Stored {
    files: FxHashMap<Ino, Content>,
    /// Of large files, where their bytes lay when they were stored.
    marks: FxHashMap<Ino, (Content, FileMark)>,
    dirs: FxHashMap<Ino, DirRef>,
    /// Directories with a name of a file that may change without them: it has other names, or is known by another.
    holders: FxHashMap<Ino, Vec<Ino>>,
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

impl Memo {
    /// Forgets what was stored: it may have been taken away.
    pub fn forget(&mut self) {
        self.stored = Stored::default();
    }

    /// Takes on what a seal stored, now that it is durable; forgets inodes that the session has no more.
    pub fn adopt<U: Upper>(&mut self, stored: Stored, snapshot: &Snapshot<Store, U>) {
        let own = &mut self.stored;
        own.files.extend(stored.files);
        own.marks.extend(stored.marks);
        own.dirs.extend(stored.dirs);
        for (ino, dirs) in stored.holders {
            let known = own.holders.entry(ino).or_default();
            known.extend(dirs);
            known.sort_unstable();
            known.dedup();
        }
        if own.files.len() + own.dirs.len() > 2 * snapshot.inode_count() + 1000 {
            let lives = |ino: &Ino| snapshot.parent_of(*ino).is_some();
            own.files.retain(|ino, _| lives(ino));
            own.marks.retain(|ino, _| lives(ino));
            own.dirs.retain(|ino, _| *ino == ROOT_INO || lives(ino));
        }
    }
}

/// Stores a snapshot's tree with at most so many threads. Returns its root, which nobody has stored yet, and what the
/// memo is to adopt.
///
/// # Errors
/// [`SealError`]; the memo is as good as before.
pub fn seal<U: Upper>(
    snapshot: &Snapshot<Store, U>,
    writer: &Writer,
    memo: &Memo,
    threads: usize,
) -> Result<(Root, Stored), SealError> {
    let root = snapshot.root();
    let SnapshotBody::Dir(top) = root.body else { return Err(overlay::Error::NotDir.into()) };
    let mut sealer =
        Sealer { snapshot, writer, memo: &memo.stored, unsealed: unsealed(snapshot, memo), new: Stored::default() };
    for (ino, content, mark) in store_files(snapshot, writer, &memo.stored, threads)? {
        sealer.new.files.insert(ino, content);
        sealer.new.marks.extend(mark.map(|mark| (ino, (content, mark))));
    }
    let dir = sealer.dirs(top)?;
    let root =
        Root { attr: root.attr, dir, xattrs: root.xattrs, next_ino: snapshot.next_ino(), totals: snapshot.totals() };
    Ok((root, sealer.new))
}

/// The inodes that are not as they were sealed, and all directories above them.
fn unsealed<U: Upper>(snapshot: &Snapshot<Store, U>, memo: &Memo) -> FxHashSet<Ino> {
    let mut out = FxHashSet::default();
    let mut climb = |ino: Ino| {
        let mut at = ino;
        while out.insert(at)
            && at != ROOT_INO
            && let Some(parent) = snapshot.parent_of(at)
        {
            at = parent;
        }
    };
    for (ino, _) in snapshot.touched() {
        climb(ino);
        memo.stored.holders.get(&ino).into_iter().flatten().for_each(|dir| climb(*dir));
    }
    snapshot.linking().for_each(climb);
    out
}

/// A file that was stored, and if it is a large one, where its bytes lay.
type StoredFile = (Ino, Content, Option<FileMark>);

/// Stores the data of all files that have new data.
fn store_files<U: Upper>(
    snapshot: &Snapshot<Store, U>,
    writer: &Writer,
    memo: &Stored,
    threads: usize,
) -> Result<Vec<StoredFile>, SealError> {
    let is_new = |(ino, data): (Ino, bool)| (data || !memo.files.contains_key(&ino)).then_some(ino);
    let mut files: Vec<SnapshotEntry> =
        snapshot.touched().filter_map(is_new).filter_map(|ino| snapshot.written(ino)).collect();
    // Files that were written together are read together, and lie together.
    files.sort_unstable_by_key(|file| file.attr.ino);
    let bytes: u64 = files.iter().map(|file| file.attr.size.saturating_add(FILE_BYTES)).sum();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let parts = in_parallel(if bytes < SHARED_BYTES { 1 } else { threads }, || {
        let (mut piece, mut stored) = (Vec::new(), Vec::new());
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            match store_known(snapshot, writer, memo, file, &mut piece) {
                Ok((content, mark)) => stored.push((file.attr.ino, content, mark)),
                Err(error) => {
                    next.store(files.len(), Ordering::Relaxed);
                    *failed.lock() = Some(error);
                }
            }
        }
        stored
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(parts.into_iter().flatten().collect()),
    }
}

struct Sealer<'a, U> {
    snapshot: &'a Snapshot<Store, U>,
    writer: &'a Writer,
    memo: &'a Stored,
    unsealed: FxHashSet<Ino>,
    new: Stored,
}

/// A directory that is being sealed.
struct Open {
    ino: Ino,
    /// Its entry in the directory above.
    own: Option<SnapshotEntry>,
    rest: std::vec::IntoIter<SnapshotEntry>,
    done: Vec<Entry>,
}

impl<U: Upper> Sealer<'_, U> {
    /// Seals a directory with all that is below it. Nothing here grows with the depth but a list.
    fn dirs(&mut self, top: SnapshotDir) -> Result<DirRef, SealError> {
        if let Some(sealed) = self.sealed(top) {
            return Ok(sealed);
        }
        let mut open = vec![self.open(top, None)?];
        loop {
            let Some(at) = open.last_mut() else { return Err(overlay::Error::Stale.into()) };
            let Some(entry) = at.rest.next() else {
                let Some(Open { ino, own, done, .. }) = open.pop() else { continue };
                let sealed = write_dir(self.writer, done)?;
                self.new.dirs.insert(ino, sealed);
                match (open.last_mut(), own) {
                    (Some(above), Some(own)) => above.done.push(with_body(own, Body::Dir(sealed))),
                    _ => return Ok(sealed),
                }
                continue;
            };
            let dir = at.ino;
            match entry.body {
                SnapshotBody::Dir(below) => match self.sealed(below) {
                    Some(sealed) => at.done.push(with_body(entry, Body::Dir(sealed))),
                    None => {
                        let below = self.open(below, Some(entry))?;
                        open.push(below);
                    }
                },
                _ => {
                    let body = self.body(dir, &entry)?;
                    at.done.push(with_body(entry, body));
                }
            }
        }
    }

    /// A directory that does not have to be listed.
    fn sealed(&self, dir: SnapshotDir) -> Option<DirRef> {
        match dir {
            SnapshotDir::Frozen(dir) => Some(dir),
            SnapshotDir::Changed { ino, .. } if self.unsealed.contains(&ino) => None,
            SnapshotDir::Changed { ino, .. } => self.memo.dirs.get(&ino).copied(),
        }
    }

    fn open(&self, dir: SnapshotDir, own: Option<SnapshotEntry>) -> Result<Open, SealError> {
        let ino = own.as_ref().map_or(ROOT_INO, |own| own.attr.ino);
        let entries = self.snapshot.list(dir)?;
        Ok(Open { ino, own, done: Vec::with_capacity(entries.len()), rest: entries.into_iter() })
    }

    /// The body of anything but a directory.
    fn body(&mut self, dir: Ino, entry: &SnapshotEntry) -> Result<Body, SealError> {
        let ino = entry.attr.ino;
        if entry.attr.nlink > 1 || self.snapshot.parent_of(ino).is_some_and(|parent| parent != dir) {
            self.new.holders.entry(ino).or_default().push(dir);
        }
        Ok(match &entry.body {
            SnapshotBody::File(Some(content)) => Body::File(*content),
            SnapshotBody::File(None) => {
                let stored = self.new.files.get(&ino).or_else(|| self.memo.files.get(&ino)).copied();
                let content = match stored {
                    Some(content) => content,
                    None => store_file(self.snapshot, self.writer, entry, &mut Vec::new())?,
                };
                self.new.files.insert(ino, content);
                Body::File(content)
            }
            SnapshotBody::Symlink(target) => Body::Symlink(target.clone()),
            SnapshotBody::Dir(_) | SnapshotBody::Special => Body::Special,
        })
    }
}

fn with_body(entry: SnapshotEntry, body: Body) -> Entry {
    Entry { name: entry.name, attr: entry.attr, body, xattrs: entry.xattrs }
}

/// Stores a file; of a large one that was stored before, what changed.
fn store_known<U: Upper>(
    snapshot: &Snapshot<Store, U>,
    writer: &Writer,
    memo: &Stored,
    entry: &SnapshotEntry,
    piece: &mut Vec<u8>,
) -> Result<(Content, Option<FileMark>), SealError> {
    let ino = entry.attr.ino;
    let Some(mark) = snapshot.mark(ino).filter(|_| entry.attr.size >= LARGE_BYTES) else {
        return Ok((store_file(snapshot, writer, entry, piece)?, None));
    };
    let base = mark.of_base();
    let before = memo.marks.get(&ino).or(base.as_ref());
    // Content that cannot be read is none to build upon; what shows of it fails below.
    let known = before.and_then(|(content, before)| {
        let same = mark.same_as(before);
        let cuts = if same.is_empty() { None } else { OldCuts::of(snapshot.lower(), content).ok() };
        Some((cuts?, same))
    });
    let content = match known {
        Some((cuts, same)) => rewrite(writer, &cuts, &same, &mut NewFile { snapshot, entry })?,
        None => store_file(snapshot, writer, entry, piece)?,
    };
    Ok((content, Some(mark)))
}

/// A written file of a snapshot.
struct NewFile<'a, U> {
    snapshot: &'a Snapshot<Store, U>,
    entry: &'a SnapshotEntry,
}

impl<U: Upper> Rewritten for NewFile<'_, U> {
    type Error = SealError;

    fn len_bytes(&self) -> u64 {
        self.entry.attr.size
    }

    fn run(&mut self, offset: u64) -> Result<Option<Range<u64>>, SealError> {
        let Some(start) = self.snapshot.seek(self.entry, offset, Whence::Data)? else { return Ok(None) };
        let end = self.snapshot.seek(self.entry, start, Whence::Hole)?.unwrap_or(self.entry.attr.size);
        Ok(Some(start..end))
    }

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), SealError> {
        read(self.snapshot, self.entry, offset, buf)
    }
}

fn store_file<U: Upper>(
    snapshot: &Snapshot<Store, U>,
    writer: &Writer,
    entry: &SnapshotEntry,
    piece: &mut Vec<u8>,
) -> Result<Content, SealError> {
    let size = entry.attr.size;
    piece.resize(PIECE_BYTES.min(usize::try_from(size).unwrap_or(PIECE_BYTES)), 0);
    let mut out = ContentWriter::new(writer);
    let mut at = 0;
    while at < size {
        let data = snapshot.seek(entry, at, Whence::Data)?.unwrap_or(size);
        out.hole(data - at)?;
        let end = match data < size {
            true => snapshot.seek(entry, data, Whence::Hole)?.unwrap_or(size),
            false => size,
        };
        at = data;
        if (data, end) == (0, size) && end <= piece.len() as u64 {
            read(snapshot, entry, 0, piece)?;
            return Ok(put_small(writer, piece)?);
        }
        while at < end {
            let want = piece.len().min(usize::try_from(end - at).unwrap_or(PIECE_BYTES));
            read(snapshot, entry, at, &mut piece[..want])?;
            out.data(&piece[..want])?;
            at += want as u64;
        }
    }
    Ok(out.finish()?)
}

/// Fills the buffer: what is asked for is inside the file.
fn read<U: Upper>(
    snapshot: &Snapshot<Store, U>,
    entry: &SnapshotEntry,
    offset: u64,
    buf: &mut [u8],
) -> Result<(), SealError> {
    match snapshot.read(entry, offset, buf)? {
        count if count == buf.len() => Ok(()),
        _ => Err(overlay::Error::Upper(std::io::ErrorKind::UnexpectedEof.into()).into()),
    }
}
