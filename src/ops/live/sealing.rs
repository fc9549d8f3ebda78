//! Sealing a session that this process has open.

use crate::delta::Delta;
use crate::model::RootId;
use crate::ops::seal::{Memo, seal};
use crate::overlay::Snapshot;
use crate::store::{Generation, Hold, Store};

use super::{LiveError, OpenSession, SessionBase};

/// Threads that store what a seal finds.
pub(super) const THREADS: usize = 2;

/// What earlier seals of an open session left.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    memo: Memo,
    /// The tree of the last one.
    last: Option<RootId>,
    /// When these were true; a collection of the store may have taken away what they speak of.
    generation: Option<Generation>,
}

/// What is sealed once more when the session is closed, so that it need not keep its delta: this much is done at once.
const LAST_INODES: usize = 500;
const LAST_BYTES: u64 = 8 << 20;

impl OpenSession {
    /// Ends a session that was sealed while it was open by sealing the little that changed since, and putting it on that
    /// tree: `fold` says so in the catalog, and whether it could. So nothing is sealed again after the next open.
    /// Changes are refused from now on.
    ///
    /// # Errors
    /// As [`OpenSession::seal`], or from `fold`; the session is then as it was.
    pub fn settle<E: From<LiveError>>(
        &self,
        fold: impl FnOnce(SessionBase, RootId) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.overlay.set_read_only(true);
        let (inodes, bytes) = self.overlay.unsealed();
        if self.sealing.lock().last.is_none() || inodes > LAST_INODES || bytes > LAST_BYTES {
            return Ok(());
        }
        let hold = self.overlay.lower().hold().map_err(LiveError::from)?;
        let root = self.seal(|| ())?;
        if root != self.place.root && fold(self.place, root)? {
            self.retire()?;
        }
        drop(hold);
        Ok(())
    }

    /// Stores the session's present state. When this returns, the tree is durable. Programs go on meanwhile; `begun` is
    /// called as soon as the moment is taken. Whoever lets a row refer to the tree holds the store from before this call.
    ///
    /// # Errors
    /// The session cannot be read, or the store not written. Sealing again stores what is missing.
    pub fn seal(&self, begun: impl FnOnce()) -> Result<RootId, LiveError> {
        let mut sealing = self.sealing.lock();
        if self.overlay.is_clean() {
            return Ok(self.place.root);
        }
        let hold = self.overlay.lower().hold()?;
        sealing.begin(&hold);
        let snapshot = self.overlay.snapshot_to_seal(&mut sealing.memo.links)?;
        begun();
        if let (Some(last), None) = (sealing.last, snapshot.touched().next()) {
            return Ok(last);
        }
        sealing.store(&hold, &snapshot).inspect_err(|_| self.overlay.seal_failed(&snapshot))
    }
}

impl Sealing {
    /// Forgets what a collection of the store may have taken away.
    fn begin(&mut self, hold: &Hold) {
        if self.generation.replace(hold.generation()) != Some(hold.generation()) {
            self.memo.forget();
            self.last = None;
        }
    }

    /// Stores a snapshot of which it is known what changed since the last one.
    fn store(&mut self, hold: &Hold, snapshot: &Snapshot<Store, Delta>) -> Result<RootId, LiveError> {
        let writer = hold.writer()?;
        let (root, stored) = seal(snapshot, &writer, &self.memo, THREADS)?;
        let root = writer.put_root(&root)?;
        writer.finish()?;
        self.memo.adopt(stored, snapshot);
        self.last = Some(root);
        Ok(root)
    }

    /// Stores the state that was just replaced by another one. Nothing was sealed in between.
    pub(super) fn store_replaced(
        &mut self,
        store: &Store,
        mut snapshot: Snapshot<Store, Delta>,
    ) -> Result<RootId, LiveError> {
        let hold = store.hold()?;
        self.begin(&hold);
        snapshot.follow(&mut self.memo.links)?;
        self.store(&hold, &snapshot)
    }
}
