//! Which inode of the session becomes which of the target, and under which number.
//!
//! A file keeps the number that it has in the target wherever that is possible, for that is what makes a restored tree
//! warm: the number stands for the same file in the session, or for nothing. It gets a new number where it is in use:
//!
//! - The session's file of this number keeps a name, in a path that is not switched.
//! - It lost its names, but somebody holds it open.
//! - Somebody has it open for writing, and its bytes are to be others: as after an unlink, the old file goes on for
//!   those who hold it, and the new one is another.
//! - It is another file that got the same number in another session, and the kernel knows it.

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Ino, Kind};
use crate::overlay::known::KnownTable;
use crate::overlay::state::State;

use super::found::{Found, NameOf, same_but_links, same_content, same_file};

/// What becomes of an inode of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The session's inode of this number becomes it.
    Same,
    /// The session's inode of this number is it, and gets names.
    Linked,
    /// It is made under this number.
    Made(Ino),
}

/// The plan.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub found: &'a Found,
    pub state: &'a State,
    pub known: &'a Mutex<KnownTable>,
    fates: FxHashMap<Ino, Fate>,
    /// Numbers of the session's inodes that others take.
    pub taken: FxHashSet<Ino>,
    /// Inodes to be made that must be in the delta. The others show through the directory above them.
    must: FxHashSet<Ino>,
    /// Names of the session that go, in its numbers, with the inode that they stand for.
    pub gone: Vec<NameOf>,
    /// Names that come, in the numbers that will be.
    pub come: Vec<NameOf>,
    /// Directories to be made whose names come from the frozen directory, by the numbers that they get.
    through: FxHashSet<Ino>,
    /// Numbers from here on are new.
    first_fresh: Ino,
    /// Numbers from here on are free.
    pub next_ino: Ino,
}

impl<'a> Plan<'a> {
    /// Decides. `open` are the files that somebody writes to.
    pub fn new(
        found: &'a Found,
        state: &'a State,
        known: &'a Mutex<KnownTable>,
        next_ino: Ino,
        open: &FxHashSet<Ino>,
    ) -> Self {
        let first_fresh = next_ino.max(state.next_ino);
        let mut plan = Self {
            found,
            state,
            known,
            fates: FxHashMap::default(),
            taken: FxHashSet::default(),
            must: FxHashSet::default(),
            gone: Vec::new(),
            come: Vec::new(),
            through: FxHashSet::default(),
            first_fresh,
            next_ino: first_fresh,
        };
        let mut inos: Vec<Ino> = found.target.keys().copied().collect();
        inos.sort_unstable();
        for ino in inos {
            let fate = plan.decide(ino, open);
            plan.fates.insert(ino, fate);
        }
        let made = |ino: &&Ino| plan.shows_through(**ino);
        plan.through = found.target.keys().filter(made).map(|ino| plan.number(*ino)).collect();
        plan.find_names();
        plan.find_must();
        plan
    }

    fn decide(&mut self, ino: Ino, open: &FxHashSet<Ino>) -> Fate {
        let target = &self.found.target[&ino];
        if self.found.pairs.contains_key(&ino) {
            return Fate::Same;
        }
        if let Some(kept) = self.found.kept.get(&ino) {
            let is_it = target.entry.attr.kind != Kind::Dir
                && same_file(&kept.entry, &target.entry)
                && same_but_links(&kept.entry, &target.entry);
            return if is_it { Fate::Linked } else { self.fresh() };
        }
        if let Some(live) = self.found.live.get(&ino) {
            return match same_file(&live.entry, &target.entry) {
                true if open.contains(&ino) && !same_content(&live.entry, &target.entry) => self.fresh(),
                true => Fate::Same,
                false if self.known.lock().holds(ino) => self.fresh(),
                false => {
                    self.taken.insert(ino);
                    Fate::Made(ino)
                }
            };
        }
        let named = self.state.inodes.get(&ino).is_some_and(|inode| !inode.is_unnamed());
        if target.entry.attr.kind == Kind::Dir && (named || self.found.dirs.contains_key(&ino)) {
            // It is elsewhere in the session, on the way to other paths, and a directory has one name.
            return self.fresh();
        }
        match self.state.inodes.get(&ino) {
            // It was not found to differ: where both trees are the same, it has names.
            Some(inode) if !inode.is_unnamed() => Fate::Linked,
            Some(_) => self.fresh(),
            None => Fate::Made(ino),
        }
    }

    fn fresh(&mut self) -> Fate {
        let ino = self.next_ino;
        self.next_ino += 1;
        Fate::Made(ino)
    }

    /// What becomes of an inode of the target.
    pub fn fate(&self, ino: Ino) -> Option<Fate> {
        self.fates.get(&ino).copied()
    }

    /// The number that an inode of the target will have.
    pub fn number(&self, ino: Ino) -> Ino {
        match self.fates.get(&ino) {
            Some(Fate::Made(number)) => *number,
            _ => self.found.pairs.get(&ino).copied().unwrap_or(ino),
        }
    }

    /// Whether the session's inode of this number stays what it is, or becomes what the target has.
    pub fn stays(&self, ino: Ino) -> bool {
        let becomes = matches!(self.fates.get(&ino), Some(Fate::Same | Fate::Linked));
        becomes || self.found.kept.contains_key(&ino) || !self.found.live.contains_key(&ino)
    }

    /// Whether an inode of the target that is to be made comes into the delta.
    pub fn is_in_delta(&self, ino: Ino) -> bool {
        self.must.contains(&ino)
    }

    /// Whether the names of a directory of the target show through the directory that is made.
    fn shows_through(&self, dir: Ino) -> bool {
        let made = matches!(self.fates.get(&dir), Some(Fate::Made(_)));
        made && self.found.target.get(&dir).is_some_and(|target| !target.leads && target.entry.attr.kind == Kind::Dir)
    }

    /// As [`Self::shows_through`], by the number that the directory gets.
    pub fn is_through(&self, number: Ino) -> bool {
        self.through.contains(&number)
    }

    /// Whether a number was never used.
    pub fn is_fresh(&self, number: Ino) -> bool {
        number >= self.first_fresh
    }

    fn find_names(&mut self) {
        let found = self.found;
        let stays_put = |name: &&NameOf| self.number(name.ino) == name.ino;
        let come = found.come.iter().map(|name| NameOf {
            dir: self.number(name.dir),
            name: name.name.clone(),
            ino: self.number(name.ino),
        });
        let moved = found.same.iter().filter(|name| !stays_put(name));
        let replaced = moved.clone().map(|name| NameOf { ino: self.number(name.ino), ..name.clone() });
        let come: Vec<NameOf> = come.chain(replaced).collect();
        let gone: Vec<NameOf> = found.gone.iter().chain(moved).cloned().collect();
        // A directory that was moved may have been listed on both sides.
        let both: FxHashSet<&NameOf> = {
            let gone: FxHashSet<&NameOf> = gone.iter().filter(|name| self.stays(name.dir)).collect();
            come.iter().filter(|name| gone.contains(name) && self.stays(name.ino)).collect()
        };
        let keep = |names: &[NameOf]| names.iter().filter(|name| !both.contains(name)).cloned().collect();
        let (come, gone) = (keep(&come), keep(&gone));
        (self.come, self.gone) = (come, gone);
    }

    /// Whether an inode of the target comes with all its names.
    fn is_whole(&self, ino: Ino) -> bool {
        let target = &self.found.target[&ino];
        match target.entry.attr.kind {
            Kind::Dir => !target.leads,
            _ => target.names == target.entry.attr.nlink,
        }
    }

    /// What is made shows through a frozen directory that is made, unless the delta has to say something about it, or
    /// about something below it; or the kernel still knows another place for it.
    fn find_must(&mut self) {
        let mut parents: FxHashMap<Ino, Vec<Ino>> = FxHashMap::default();
        for name in self.found.come.iter().chain(&self.found.same) {
            parents.entry(name.ino).or_default().push(name.dir);
        }
        let mut todo: Vec<Ino> = Vec::new();
        for (&ino, above) in &parents {
            let shown = self.fates.get(&ino) == Some(&Fate::Made(ino))
                && !self.taken.contains(&ino)
                && !self.known.lock().knows(ino)
                && self.is_whole(ino)
                && above.iter().all(|dir| self.shows_through(*dir));
            if !shown {
                todo.push(ino);
            }
        }
        while let Some(ino) = todo.pop() {
            if self.must.insert(ino) {
                todo.extend(parents.get(&ino).into_iter().flatten().copied());
            }
        }
    }
}
