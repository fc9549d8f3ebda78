//! A session whose journal is damaged, as far as it can be read.
//!
//! `before` is its state where the damage begins, which existed. `after` is the same with the files that were made behind
//! the damage: of such a file all that was ever written can be read, so it is what it was, but the tree around it is not.
//! What was made before the damage and changed behind it is left out: parts of the change may be lost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::delta::{self, Part, Salvage, Salvaged};
use crate::disk::{Disk, File};
use crate::model::{BytePath, Ino, InodeRecord, Kind, Name, Origin, Record, Root, RootId, Timestamp};
use crate::ops::seal::{Memo, seal};
use crate::overlay::{Caller, Files, Overlay, Replay, SetAttr, Snapshot, SnapshotBody, SnapshotDir, Whence};
use crate::store::{Hold, Store};

use super::open::{delta_dir, lock, session_dir};
use super::sealing::THREADS;
use super::{LiveError, SessionBase};

/// How much of a file is tried at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A session that is damaged. Nobody else has it as long as this is there.
#[derive(Debug)]
pub struct DamagedSession {
    /// What its delta lies on.
    pub place: SessionBase,
    /// What was found in its journal.
    pub found: Salvage,
    /// The state before the damage.
    pub before: SalvagedState,
    /// The same with files made behind the damage; `None` if there are none.
    pub after: Option<SalvagedState>,
    _lock: File,
}

/// A state that could be read.
#[derive(Debug)]
pub struct SalvagedState {
    overlay: Overlay<Store, Salvaged>,
    /// Files that are left empty, because their data cannot be read either.
    pub emptied: Vec<BytePath>,
    /// Files that were made behind the damage.
    pub rescued: Vec<BytePath>,
}

/// Reads a session that cannot be opened for damage of its journal. `base` is asked once the session's lock is held.
///
/// # Errors
/// [`LiveError::InUse`]; what the store, the base or the disk say.
pub fn read_damaged<E: From<LiveError>>(
    disk: &Arc<dyn Disk>,
    data_dir: &Path,
    id: &str,
    store: &Arc<Store>,
    base: impl FnOnce() -> Result<SessionBase, E>,
) -> Result<DamagedSession, E> {
    let dir = session_dir(data_dir, id);
    let lock = lock(&**disk, &dir, id, Duration::ZERO)?;
    let place = base()?;
    let root = store.root(place.root).map_err(LiveError::from)?;
    let mut later = Later::new(&root);
    let mut before = Replay::new(&root);
    let mut known = FxHashSet::default();
    let found = delta::salvage(disk, &delta_dir(&dir, place.delta), &mut |part, batch| match part {
        Part::Whole => {
            known.extend(batch.iter().filter_map(|record| match record {
                Record::Inode(inode) => Some(inode.attr.ino),
                _ => None,
            }));
            before.apply(batch.clone());
            later.replay.apply(batch);
        }
        Part::Later => later.take(batch, &known),
    });
    let found = found.map_err(LiveError::from)?;
    let (made, later) = (later.made, later.replay);
    let before = SalvagedState::new(before, store, &found, &FxHashSet::default())?;
    let after = match made.is_empty() {
        true => None,
        false => Some(SalvagedState::new(later, store, &found, &made)?).filter(|state| !state.rescued.is_empty()),
    };
    Ok(DamagedSession { place, found, before, after, _lock: lock })
}

/// What is made of the batches behind the damage.
#[derive(Debug)]
struct Later {
    replay: Replay,
    /// Inodes that were made there.
    made: FxHashSet<Ino>,
    names: FxHashMap<(Ino, Name), Ino>,
}

impl Later {
    fn new(root: &Root) -> Self {
        Self { replay: Replay::new(root), made: FxHashSet::default(), names: FxHashMap::default() }
    }

    /// Takes on what a batch says of inodes that were made behind the damage. `known`: those of before it.
    fn take(&mut self, batch: Vec<Record>, known: &FxHashSet<Ino>) {
        let kept = batch.into_iter().filter(|record| match record {
            Record::Inode(inode) => {
                let ino = inode.attr.ino;
                if !known.contains(&ino) && is_new(inode) {
                    self.made.insert(ino);
                }
                // Directories of the base and of before get names of files made later.
                self.made.contains(&ino)
                    || inode.attr.kind == Kind::Dir && (known.contains(&ino) || inode.origin != Origin::New)
            }
            Record::Link { parent, name, ino, .. } => {
                let made = self.made.contains(ino);
                if made {
                    self.names.insert((*parent, name.clone()), *ino);
                }
                made
            }
            Record::Unlink { parent, name } => self.names.remove(&(*parent, name.clone())).is_some(),
            Record::Write { ino, .. } | Record::Zero { ino, .. } | Record::Xattr { ino, .. } => self.made.contains(ino),
            Record::Drop { ino } => self.made.remove(ino),
            Record::Totals(_) | Record::Rebased { .. } | Record::NextCookie(_) | Record::Served { .. } => false,
        });
        let kept = kept.collect();
        self.replay.apply(kept);
    }
}

/// Whether this is how the first record of an inode looks that was just made.
fn is_new(inode: &InodeRecord) -> bool {
    let attr = &inode.attr;
    let is_empty = attr.kind != Kind::File || attr.size == 0;
    inode.origin == Origin::New && attr.nlink > 0 && attr.btime == attr.ctime && is_empty
}

impl SalvagedState {
    /// The state that was replayed; files whose data rotted are emptied, those in `made` are listed.
    fn new(replay: Replay, store: &Arc<Store>, found: &Salvage, made: &FxHashSet<Ino>) -> Result<Self, LiveError> {
        let overlay = replay.finish(Arc::clone(store), Arc::clone(&found.data));
        let snapshot = overlay.snapshot()?;
        let mut state = Self { overlay, emptied: Vec::new(), rescued: Vec::new() };
        let mut piece = vec![0; PIECE_BYTES];
        for (path, ino) in changed_files(&snapshot)? {
            if made.contains(&ino) {
                state.rescued.push(path.clone());
            }
            if !is_readable(&snapshot, ino, &mut piece) {
                let now = Timestamp::new(0, 0);
                let caller = Caller { uid: 0, gid: 0, umask: 0, now, request: 0 };
                state.overlay.setattr(caller, ino, &SetAttr { size: Some(0), ..SetAttr::default() })?;
                state.emptied.push(path);
            }
        }
        state.rescued.retain(|path| !state.emptied.contains(path));
        Ok(state)
    }

    /// Stores the state; it is durable when this returns.
    ///
    /// # Errors
    /// It cannot be read, or the store not written.
    pub fn store(&self, hold: &Hold) -> Result<RootId, LiveError> {
        let mut memo = Memo::default();
        let snapshot = self.overlay.snapshot_to_seal(&mut memo.links)?;
        let writer = hold.writer()?;
        let (root, _stored) = seal(&snapshot, &writer, &memo, THREADS)?;
        let root = writer.put_root(&root)?;
        writer.finish()?;
        Ok(root)
    }
}

/// The files that the journal has data of, by path; one with several names is there several times.
fn changed_files(snapshot: &Snapshot<Store, Salvaged>) -> Result<Vec<(BytePath, Ino)>, LiveError> {
    let mut files = Vec::new();
    let mut dirs = match snapshot.root().body {
        SnapshotBody::Dir(dir) => vec![(BytePath::root(), dir)],
        _ => Vec::new(),
    };
    while let Some((path, dir)) = dirs.pop() {
        for entry in snapshot.list(dir)? {
            let at = path.join(entry.name.as_bytes());
            match entry.body {
                SnapshotBody::Dir(below @ SnapshotDir::Changed { .. }) => dirs.push((at, below)),
                SnapshotBody::File(None) => files.push((at, entry.attr.ino)),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether all data of a file can be read.
fn is_readable(snapshot: &Snapshot<Store, Salvaged>, ino: Ino, piece: &mut [u8]) -> bool {
    let Some(file) = snapshot.written(ino) else { return true };
    let mut read = || -> Result<(), crate::overlay::Error> {
        let mut at = 0;
        while let Some(data) = snapshot.seek(&file, at, Whence::Data)? {
            let end = snapshot.seek(&file, data, Whence::Hole)?.unwrap_or(file.attr.size);
            at = data;
            while at < end {
                let want = piece.len().min(usize::try_from(end - at).unwrap_or(PIECE_BYTES));
                match snapshot.read(&file, at, &mut piece[..want])? {
                    0 => return Ok(()),
                    count => at += count as u64,
                }
            }
        }
        Ok(())
    };
    read().is_ok()
}
