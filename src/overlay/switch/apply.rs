//! Holding changes while a switch takes effect.

use crate::overlay::core::{Journal, Overlay};
use crate::overlay::state::State;
use crate::overlay::{Error, Lower, Snapshot, Upper};

use super::Switched;
use super::batch::Batch;
use super::found::Found;

impl<L: Lower, U: Upper> Overlay<L, U> {
    /// A snapshot, and how many changes there were before it.
    pub(super) fn snapshot_at(&self) -> Result<(Snapshot<L, U>, u64), Error> {
        let pin = self.upper.pin();
        let journal = self.journal.lock();
        let (state, moment) = (self.state.read().copy(), journal.changes);
        drop(journal);
        Ok((self.snapshot_of_all(state, pin)?, moment))
    }

    /// Carries out what `make` says, if nothing changed since the moment.
    pub(super) fn change_if_still(
        &self,
        moment: u64,
        make: impl FnOnce(&State) -> Option<Batch>,
    ) -> Result<Option<Done>, Error> {
        let mut journal = self.journal.lock();
        if journal.changes != moment {
            return Ok(None);
        }
        let batch = make(&self.state.read());
        self.carry_out(&mut journal, batch).map(Some)
    }

    /// Holds changes from before the comparison on.
    pub(super) fn change_held(
        &self,
        compare: impl FnOnce(&Snapshot<L, U>) -> Result<Found, Error>,
        make: impl FnOnce(&Found, &State) -> Option<Batch>,
    ) -> Result<Done, Error> {
        let pin = self.upper.pin();
        let mut journal = self.journal.lock();
        let snapshot = self.snapshot_of_all(self.state.read().copy(), pin)?;
        let found = compare(&snapshot)?;
        let batch = make(&found, &self.state.read());
        self.carry_out(&mut journal, batch)
    }

    fn carry_out(&self, journal: &mut Journal, batch: Option<Batch>) -> Result<Done, Error> {
        let Some(Batch { records, stale, unknown }) = batch else { return Ok(Done::default()) };
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let before = self.state.read().copy_if_touched();
        self.commit_with(journal, records, None, 0, |state, known| {
            // The kernel came to know them a moment ago: whoever it was for has them open.
            for (ino, inode) in unknown {
                if known.holds(ino) && !state.inodes.contains_key(&ino) {
                    state.inodes.insert(ino, std::sync::Arc::new(inode));
                }
            }
        })?;
        Ok(Done { switched: Switched { stale, changed: true }, before })
    }
}

/// What was done, and the state that it was done to, if something in that was not sealed.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) switched: Switched,
    pub(super) before: Option<State>,
}
