//! The overlay itself: what it holds, and the two ways in, to read and to change.
//!
//! Locks, always taken in this order and never across the lower's I/O: `journal` (one change at a time, in the order of
//! the journal), `state` (read by everyone, written for the moment a batch is applied), `known`. Readers never wait for
//! the journal's disk, because a batch is appended before `state` is locked for writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::model::{Attr, Ino, Place, Record, Root};

use super::extents::Dead;
use super::known::{Hold, KnownTable, Location};
use super::nodes::{Nodes, Stop, search};
use super::resume::{Answered, Resumed};
use super::state::State;
use super::txn::{Txn, View};
use super::{Caller, Error, Lower, Payload, Upper};

/// A session's file system: a frozen tree and what was changed on it.
#[derive(Debug)]
pub struct Overlay<L, U> {
    pub(super) lower: Arc<L>,
    pub(super) upper: Arc<U>,
    pub(super) state: RwLock<State>,
    pub(super) known: Mutex<KnownTable>,
    pub(super) journal: Mutex<Journal>,
    pub(super) resumed: Resumed,
    read_only: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Inodes whose last holder let go; the next batch says so.
    dropped: Vec<Ino>,
    /// How often the state changed.
    pub changes: u64,
    /// The requests that were served last.
    answered: Answered,
}

impl<L: Lower, U: Upper> Overlay<L, U> {
    /// A session on `root` whose journal is the batches given, oldest first; see [`Replay`].
    pub fn open(lower: Arc<L>, upper: Arc<U>, root: &Root, journal: impl IntoIterator<Item = Vec<Record>>) -> Self {
        let mut replay = Replay::new(root);
        journal.into_iter().for_each(|batch| replay.apply(batch));
        replay.finish(lower, upper)
    }

    /// Refuses changes from now on, or allows them again.
    pub fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::Release);
    }

    /// Whether nothing differs from the base that the session stands on.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.state.read().is_clean()
    }

    /// How many inodes changed since the last seal, and how many bytes the files among them have.
    #[must_use]
    pub fn unsealed(&self) -> (usize, u64) {
        let state = self.state.read();
        let size = |ino: Ino| state.inodes.get(&ino).map(|inode| inode.size());
        (state.touched.len(), state.touched.written().filter_map(size).fold(0, u64::saturating_add))
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// How many inodes the kernel holds, and how many the delta has.
    #[must_use]
    pub fn inode_counts(&self) -> (usize, usize) {
        let delta = self.state.read().inodes.len();
        (self.known.lock().len(), delta)
    }

    /// Where changes go.
    #[must_use]
    pub fn upper(&self) -> &Arc<U> {
        &self.upper
    }

    /// The frozen tree.
    #[must_use]
    pub fn lower(&self) -> &Arc<L> {
        &self.lower
    }

    /// The state at this moment, between two changes.
    pub(super) fn frozen_state(&self) -> State {
        let _journal = self.journal.lock();
        self.state.read().copy()
    }

    /// As [`Self::frozen_state`], with what changed since the last time; what changes from now on is noted anew.
    pub(super) fn state_to_seal(&self) -> State {
        let _journal = self.journal.lock();
        let mut state = self.state.write();
        let mut sealed = state.copy();
        sealed.touched = std::mem::take(&mut state.touched);
        sealed
    }

    /// Holds all changes while `work` sees the records that make up the present state, to write them down anew. It
    /// returns where data was moved to, if it was.
    ///
    /// # Errors
    /// What `work` returns.
    pub fn compact<E>(
        &self,
        work: impl FnOnce(&mut dyn Iterator<Item = Record>) -> Result<Vec<Moved>, E>,
    ) -> Result<(), E> {
        let mut journal = self.journal.lock();
        let moved = work(&mut self.state.read().dump().chain(journal.answered.records()))?;
        journal.dropped.clear();
        if !moved.is_empty() {
            self.state.write().relocate(moved);
        }
        Ok(())
    }

    /// Runs `attempt` on the present state until it has all the nodes it needs.
    pub(super) fn view<T>(&self, mut attempt: impl FnMut(&View<'_>) -> Result<T, Stop>) -> Result<T, Error> {
        self.with_nodes(|nodes| {
            let state = self.state.read();
            attempt(&View { state: &state, nodes, known: &self.known })
        })
    }

    /// Makes one change: `draft` says what is to be different, and it happens wholly or not at all.
    pub(super) fn change<T>(
        &self,
        caller: Caller,
        payload: Option<Payload<'_>>,
        mut draft: impl FnMut(&mut Txn<'_>) -> Result<T, Stop>,
    ) -> Result<T, Error> {
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        self.with_nodes(|nodes| {
            let mut journal = self.journal.lock();
            // Asked again under the lock: a snapshot that is taken once changes are refused is the last state.
            if self.read_only.load(Ordering::Acquire) {
                return Err(Error::ReadOnly.into());
            }
            let (out, batch) = {
                let state = self.state.read();
                let mut txn = Txn::new(View { state: &state, nodes, known: &self.known }, caller);
                let out = draft(&mut txn)?;
                (out, txn.finish())
            };
            self.commit(&mut journal, batch, payload, caller.request)?;
            Ok(out)
        })
    }

    /// Writes a batch to the journal, then lets it take effect.
    fn commit(
        &self,
        journal: &mut Journal,
        batch: Vec<Record>,
        payload: Option<Payload<'_>>,
        request: u64,
    ) -> Result<(), Error> {
        self.commit_with(journal, batch, payload, request, |_, _| {})
    }

    /// As [`Self::commit`]; `also` takes effect at the same moment, but is not in the journal.
    pub(super) fn commit_with(
        &self,
        journal: &mut Journal,
        mut batch: Vec<Record>,
        payload: Option<Payload<'_>>,
        request: u64,
        also: impl FnOnce(&mut State, &KnownTable),
    ) -> Result<(), Error> {
        if batch.is_empty() && payload.is_none() {
            return Ok(());
        }
        // First: a switch may bring a number back whose inode was dropped.
        let dropped = journal.dropped.len();
        batch.splice(0..0, journal.dropped.iter().map(|&ino| Record::Drop { ino }));
        let answered = self.resumed.answered(&batch, request);
        batch.extend(answered.clone());
        let place = self.upper.append(&batch, payload).map_err(Error::Upper)?;
        journal.dropped.clear();
        answered.iter().for_each(|record| journal.answered.note(record));
        batch.drain(..dropped);
        batch.truncate(batch.len() - usize::from(answered.is_some()));
        let unnamed: Vec<Ino> = batch.iter().filter_map(unnamed_inode).collect();
        if let (Some(place), Some(payload)) = (place, payload) {
            batch.push(write_record(payload, place));
        }
        let mut dead = Dead::new();
        journal.changes += 1;
        let mut state = self.state.write();
        for record in batch {
            state.apply(record, &mut dead);
        }
        also(&mut state, &self.known.lock());
        for ino in unnamed {
            if !self.known.lock().holds(ino) {
                state.drop_inode(ino, &mut dead);
                journal.dropped.push(ino);
            }
        }
        drop(state);
        if !dead.is_empty() {
            self.upper.release(&dead);
        }
        Ok(())
    }

    /// The kernel let go of look-ups; an inode without a name goes with the last one.
    pub(super) fn forget_lookups(&self, ino: Ino, count: u64) {
        let hold = self.known.lock().forget(ino, count);
        if hold == Hold::Held || !is_unnamed(&self.state.read(), ino) {
            return;
        }
        match hold {
            Hold::Gone => self.drop_unnamed(ino, || !self.known.lock().holds(ino)),
            _ => self.resumed.doubt(ino),
        }
    }

    /// Drops an inode that has no name, if nobody has come to hold it meanwhile.
    pub(super) fn drop_unnamed(&self, ino: Ino, is_free: impl FnOnce() -> bool) {
        let mut journal = self.journal.lock();
        let mut dead = Dead::new();
        let mut state = self.state.write();
        if is_unnamed(&state, ino) && is_free() {
            state.drop_inode(ino, &mut dead);
            journal.dropped.push(ino);
            journal.changes += 1;
        }
        drop(state);
        if !dead.is_empty() {
            self.upper.release(&dead);
        }
    }

    /// Counts a look-up that the kernel is about to be told of.
    pub(super) fn count_lookup(&self, attr: &Attr, location: Option<Location>) {
        self.known.lock().count(attr.ino, location);
    }

    fn with_nodes<T>(&self, mut attempt: impl FnMut(&Nodes<'_>) -> Result<T, Stop>) -> Result<T, Error> {
        let mut nodes = Nodes::new(&*self.lower);
        loop {
            match attempt(&nodes) {
                Ok(done) => return Ok(done),
                Err(Stop::Fail(error)) => return Err(error),
                Err(Stop::Need(id)) => nodes.load(id)?,
                Err(Stop::Lost(ino)) => {
                    let (shown, rebased) = {
                        let state = self.state.read();
                        (state.shown_dirs(), state.rebased)
                    };
                    let location = match self.resumed.is_resumed() {
                        true => self.resumed.find(&*self.lower, &shown, rebased, ino)?,
                        false => search(&*self.lower, &shown, ino)?,
                    };
                    let location = location.ok_or(Error::Stale)?;
                    self.known.lock().hint(ino, location);
                }
            }
        }
    }
}

/// A session's state while its journal is read back.
#[derive(Debug)]
pub struct Replay {
    state: State,
    dead: Dead,
    answered: Answered,
}

impl Replay {
    /// A session on `root` in which nothing happened yet.
    #[must_use]
    pub fn new(root: &Root) -> Self {
        Self { state: State::new(root), dead: Dead::new(), answered: Answered::default() }
    }

    /// The next batch.
    pub fn apply(&mut self, batch: Vec<Record>) {
        for record in batch {
            self.answered.note(&record);
            self.state.apply(record, &mut self.dead);
        }
        // What died on the way is known from what lives at the end.
        self.dead.clear();
    }

    /// The session. Inodes without a name are dropped: nobody holds them open any more.
    pub fn finish<L: Lower, U: Upper>(mut self, lower: Arc<L>, upper: Arc<U>) -> Overlay<L, U> {
        let dropped = self.drop_orphans();
        let journal = Journal { dropped, ..Journal::default() };
        self.overlay(lower, upper, journal, KnownTable::default(), Resumed::default())
    }

    /// The session of a process that died, to be served on over the same connection: inodes without a name may be held
    /// open, and everything that is there may be known to the kernel.
    pub fn resume<L: Lower, U: Upper>(mut self, lower: Arc<L>, upper: Arc<U>, connection: u32) -> Overlay<L, U> {
        self.answered.keep_of(connection);
        let resumed = Resumed::new(connection, self.answered.by_request(), self.state.orphans());
        let known = KnownTable::inherited(self.state.next_ino);
        let journal = Journal { answered: std::mem::take(&mut self.answered), ..Journal::default() };
        self.overlay(lower, upper, journal, known, resumed)
    }

    fn overlay<L: Lower, U: Upper>(
        self,
        lower: Arc<L>,
        upper: Arc<U>,
        journal: Journal,
        known: KnownTable,
        resumed: Resumed,
    ) -> Overlay<L, U> {
        Overlay {
            lower,
            upper,
            state: RwLock::new(self.state),
            known: Mutex::new(known),
            journal: Mutex::new(journal),
            resumed,
            read_only: AtomicBool::new(false),
        }
    }

    /// The places of the upper that the session refers to, with their lengths in bytes, in no order.
    #[must_use]
    pub fn live(&self) -> Vec<(Place, u64)> {
        self.state.places(false)
    }

    /// The same when the session is to be [resumed](Self::resume).
    #[must_use]
    pub fn live_when_resumed(&self) -> Vec<(Place, u64)> {
        self.state.places(true)
    }

    fn drop_orphans(&mut self) -> Vec<Ino> {
        let orphans = self.state.orphans();
        for &ino in &orphans {
            self.state.drop_inode(ino, &mut self.dead);
        }
        orphans
    }
}

fn is_unnamed(state: &State, ino: Ino) -> bool {
    state.inodes.get(&ino).is_some_and(|inode| inode.is_unnamed())
}

/// Data that was moved: where it was, how long it is in bytes, where it is now.
pub type Moved = (Place, u64, Place);

fn unnamed_inode(record: &Record) -> Option<Ino> {
    match record {
        Record::Inode(inode) if inode.attr.nlink == 0 => Some(inode.attr.ino),
        _ => None,
    }
}

fn write_record(payload: Payload<'_>, place: Place) -> Record {
    Record::Write {
        ino: payload.ino,
        offset: payload.offset,
        len_bytes: payload.bytes.len() as u64,
        place,
        time: payload.time,
    }
}
