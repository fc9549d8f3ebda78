//! Makes a session's tree another one, in whole or in some paths, as one change: it happened or it did not.
//!
//! The session is compared with the target as it was at one moment, while programs go on; then changes are held, and if
//! none came in between, one batch of records makes the session what the target is. What differs is all that this
//! costs: what both have in common is not entered, and what only the target has comes in by reference.
//!
//! To a program it looks as if another one had made the changes, very fast. A file that differs gets the other bytes
//! under the number that it has, unless somebody writes to it: then the old file goes on without a name, and a new one
//! takes its place. It tells nobody; what the kernel has to be told is returned.

mod apply;
mod batch;
mod compare;
mod found;
mod plan;
mod scope;

use parking_lot::Mutex;
use rustc_hash::FxHashSet;

use crate::model::{BytePath, Ino, Name, Root, Timestamp};

use super::core::Overlay;
use super::known::KnownTable;
use super::state::State;
use super::{Error, Lower, Snapshot, Upper};
use apply::Done;
use batch::{Batch, Maker};
use compare::compare;
use found::Found;
use plan::Plan;
use scope::Scope;

/// How often a comparison is thrown away because of a change that came meanwhile, before changes are held for one.
const ATTEMPTS: usize = 2;

/// What a session is to become.
#[derive(Clone, Copy, Debug)]
pub struct Switch<'a> {
    /// The tree.
    pub target: &'a Root,
    /// The paths that are to be as the tree has them, with all below them; without any, all is.
    pub paths: &'a [BytePath],
    /// When.
    pub now: Timestamp,
}

/// What the kernel remembers and is no longer so. It has to be told in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The name stands for something else, or for something where there was nothing.
    Entry {
        /// The directory.
        parent: Ino,
        /// The name.
        name: Name,
    },
    /// The name is gone, and with it the inode.
    Gone {
        /// The directory.
        parent: Ino,
        /// The name.
        name: Name,
        /// The inode.
        ino: Ino,
    },
    /// Attributes of the inode.
    Attributes(Ino),
    /// Attributes and bytes of the file, or attributes and names of the directory.
    Content(Ino),
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Switched {
    /// What the kernel has to be told.
    pub stale: Vec<Stale>,
    /// Whether anything differed.
    pub changed: bool,
}

impl<L: Lower, U: Upper> Overlay<L, U> {
    /// Makes the session's tree the target's. `open` is asked which of the files that are about to get other bytes are
    /// open for writing, or run; it may take its time. The caller keeps the target's objects in the store as long as the
    /// session may refer to them. With what was done comes the session as it was just before, if something of that was
    /// never sealed.
    ///
    /// # Errors
    /// [`Error::NotDir`] when a path leads through what is no directory in the session; [`Error::ReadOnly`]; as any
    /// change. Nothing happened then.
    pub fn switch(
        &self,
        switch: &Switch<'_>,
        open: &dyn Fn(&FxHashSet<Ino>) -> FxHashSet<Ino>,
    ) -> Result<(Switched, Option<Snapshot<L, U>>), Error> {
        let pin = self.upper.pin();
        let Done { switched, before } = self.try_switch(switch, open)?;
        Ok((switched, before.map(|state| self.snapshot_of(state, pin))))
    }

    fn try_switch(&self, switch: &Switch<'_>, open: &dyn Fn(&FxHashSet<Ino>) -> FxHashSet<Ino>) -> Result<Done, Error> {
        let scope = Scope::new(switch.paths);
        let mut asked = Asked { of: FxHashSet::default(), open: FxHashSet::default(), ask: open };
        for _ in 0..ATTEMPTS {
            let (snapshot, moment) = self.snapshot_at()?;
            let found = compare(&snapshot, switch.target, scope)?;
            asked.about(&found, &self.known);
            if let Some(done) =
                self.change_if_still(moment, |state| make(&found, state, &self.known, switch, &asked))?
            {
                return Ok(done);
            }
        }
        // What it reads from the store it has read a moment ago.
        self.change_held(
            |snapshot| compare(snapshot, switch.target, scope),
            |found, state| make(found, state, &self.known, switch, &asked),
        )
    }
}

/// Which files were asked about, and which of them are open.
struct Asked<'a> {
    of: FxHashSet<Ino>,
    open: FxHashSet<Ino>,
    ask: &'a dyn Fn(&FxHashSet<Ino>) -> FxHashSet<Ino>,
}

impl Asked<'_> {
    fn about(&mut self, found: &Found, known: &Mutex<KnownTable>) {
        let new: FxHashSet<Ino> = {
            let known = known.lock();
            found.rewritten().filter(|ino| known.holds(*ino) && !self.of.contains(ino)).collect()
        };
        if !new.is_empty() {
            self.open.extend((self.ask)(&new));
            self.of.extend(new);
        }
    }
}

/// The change, if anything differs.
fn make(
    found: &Found,
    state: &State,
    known: &Mutex<KnownTable>,
    switch: &Switch<'_>,
    asked: &Asked<'_>,
) -> Option<Batch> {
    if found.is_empty() {
        return None;
    }
    let plan = Plan::new(found, state, known, switch.target.next_ino, &asked.open);
    Some(Maker::new(&plan, switch.target, Scope::new(switch.paths).is_whole(), switch.now).make())
}
