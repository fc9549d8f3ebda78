//! Goes through a session and a frozen tree side by side. What both share is not entered.
//!
//! Directories are compared by number first: one that was moved is compared with itself. Where only some paths are to be
//! switched, all of both trees is compared all the same, because a number that the target has there may stand for a file
//! of the session elsewhere.

use std::cmp::Ordering;
use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Body, DirRef, Entry, Ino, Kind, Node, NodeId, ROOT_INO, Root};
use crate::overlay::{Error, Lower, LowerError, Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry, Upper};

use super::found::{Found, LiveInode, NameOf, TargetInode, same_file, same_inode};
use super::scope::{Scope, Side};

/// A directory of the session that becomes one of the target.
struct Pair {
    live: (Ino, SnapshotDir),
    target: (Ino, DirRef),
    side: Side,
}

struct Comparison<'a, L, U> {
    snapshot: &'a Snapshot<L, U>,
    scope: Scope<'a>,
    found: Found,
    pairs: Vec<Pair>,
    /// Directories of the target that the session does not have.
    coming: VecDeque<(Ino, DirRef, Side)>,
    /// Directories of the session that are not where the target has them.
    going: VecDeque<(Ino, SnapshotDir, Side)>,
    /// Directories of the session that were found to be moved, and are compared as pairs.
    moved: FxHashSet<Ino>,
}

/// Finds what differs in these paths, and whatever of the rest one must know for it.
pub(super) fn compare<L: Lower, U: Upper>(
    snapshot: &Snapshot<L, U>,
    target: &Root,
    scope: Scope<'_>,
) -> Result<Found, Error> {
    let mut comparison = Comparison {
        snapshot,
        scope,
        found: Found::default(),
        pairs: Vec::new(),
        coming: VecDeque::new(),
        going: VecDeque::new(),
        moved: FxHashSet::default(),
    };
    comparison.pair((snapshot.root(), ROOT_INO), (target.as_entry(), ROOT_INO), scope.root());
    comparison.run()?;
    if !scope.is_whole() {
        comparison.find_other_names()?;
    }
    Ok(comparison.found)
}

impl<L: Lower, U: Upper> Comparison<'_, L, U> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            // In this order: what comes may be found to be what moved, and is then not taken for what went.
            if let Some(pair) = self.pairs.pop() {
                self.enter_pair(&pair)?;
            } else if let Some((dir, node, side)) = self.coming.pop_front() {
                self.enter_coming(dir, node, &side)?;
            } else if let Some((dir, listed, side)) = self.going.pop_front() {
                if !self.moved.contains(&dir) {
                    self.enter_going(dir, listed, &side)?;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Has two directories compared, unless they are known to hold the same.
    fn pair(&mut self, (live, live_parent): (SnapshotEntry, Ino), (target, target_parent): (Entry, Ino), side: Side) {
        let (SnapshotBody::Dir(live_dir), Body::Dir(target_dir)) = (&live.body, &target.body) else { return };
        let (live_dir, target_dir, live_ino) = (*live_dir, *target_dir, live.attr.ino);
        let target_ino = target.attr.ino;
        self.found.pairs.insert(target_ino, live_ino);
        if side == Side::In {
            self.found.inside.insert(live_ino);
        }
        let changed = side == Side::In && !same_inode(&live, &target);
        let live = LiveInode { entry: live, parent: live_parent };
        if changed {
            self.found.live.insert(live_ino, live.clone());
            self.see_target(target_parent, target, false);
        }
        self.found.dirs.insert(live_ino, live);
        if !matches!(live_dir, SnapshotDir::Frozen(dir) if dir.node == target_dir.node) {
            self.pairs.push(Pair { live: (live_ino, live_dir), target: (target_ino, target_dir), side });
        }
    }

    fn enter_pair(&mut self, pair: &Pair) -> Result<(), Error> {
        let mut live = self.snapshot.list(pair.live.1)?.into_iter().peekable();
        let mut target = self.list(pair.target.1)?.into_iter().peekable();
        loop {
            let order = match (live.peek(), target.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.name.cmp(&b.name),
            };
            let a = if order.is_le() { live.next() } else { None };
            let b = if order.is_ge() { target.next() } else { None };
            match (a, b) {
                (Some(live), Some(target)) => self.both(pair, live, target)?,
                (Some(live), None) => self.only_live(pair.live.0, live, &pair.side),
                (None, Some(target)) => self.only_target(pair.target.0, target, &pair.side),
                (None, None) => {}
            }
        }
    }

    fn both(&mut self, pair: &Pair, live: SnapshotEntry, target: Entry) -> Result<(), Error> {
        let side = self.scope.below(&pair.side, &live.name);
        let same = same_file(&live, &target);
        let dirs = live.attr.kind == Kind::Dir && target.attr.kind == Kind::Dir;
        if dirs && (same || matches!(side, Side::Above(_))) {
            self.pair((live, pair.live.0), (target, pair.target.0), side);
        } else if same && same_inode(&live, &target) {
            // Nothing to do.
        } else if same && side == Side::In {
            let ino = live.attr.ino;
            self.found.same.push(NameOf { dir: pair.live.0, name: live.name.clone(), ino });
            self.found.live.insert(ino, LiveInode { entry: live, parent: pair.live.0 });
            self.see_target(pair.target.0, target, false);
        } else {
            if matches!(side, Side::Above(_)) && target.attr.kind == Kind::Dir && self.leads_to(&target, &side)? {
                // What is below it cannot come to be where the session has a file.
                return Err(Error::NotDir);
            }
            self.only_live(pair.live.0, live, &pair.side);
            self.only_target(pair.target.0, target, &pair.side);
        }
        Ok(())
    }

    fn only_live(&mut self, dir: Ino, live: SnapshotEntry, above: &Side) {
        let side = self.scope.below(above, &live.name);
        let (ino, below) = (live.attr.ino, live.body.clone());
        let name = live.name.clone();
        let live = LiveInode { entry: live, parent: dir };
        if let SnapshotBody::Dir(below) = below {
            self.found.dirs.insert(ino, live.clone());
            self.going.push_back((ino, below, side.clone()));
        }
        if side == Side::In {
            self.found.gone.push(NameOf { dir, name, ino });
            self.found.live.insert(ino, live);
        } else {
            self.found.kept.insert(ino, live);
        }
    }

    fn only_target(&mut self, dir: Ino, target: Entry, above: &Side) {
        let side = self.scope.below(above, &target.name);
        let leads = match side {
            Side::In => false,
            Side::Above(_) if target.attr.kind == Kind::Dir => true,
            _ => return,
        };
        let (ino, name) = (target.attr.ino, target.name.clone());
        self.found.come.push(NameOf { dir, name, ino });
        if let Body::Dir(below) = target.body {
            match self.moved_here(&target) {
                Some(live) => {
                    self.moved.insert(ino);
                    let parent = self.snapshot.state.inodes[&ino].parent;
                    self.found.live.insert(ino, LiveInode { entry: live.clone(), parent });
                    self.pair((live, parent), (target.clone(), dir), Side::In);
                }
                None => self.coming.push_back((ino, below, side)),
            }
        }
        self.see_target(dir, target, leads);
    }

    /// The session's directory that this one was, if it has another path there. Only where the whole tree is switched:
    /// else it is not known to be in a path that is.
    fn moved_here(&self, target: &Entry) -> Option<SnapshotEntry> {
        let inode = self.snapshot.state.inodes.get(&target.attr.ino).filter(|inode| !inode.is_unnamed())?;
        let live = self.snapshot.changed_entry(target.name.clone(), inode);
        (self.scope.is_whole() && same_file(&live, target)).then_some(live)
    }

    fn enter_coming(&mut self, dir: Ino, node: DirRef, side: &Side) -> Result<(), Error> {
        for entry in self.list(node)? {
            self.only_target(dir, entry, side);
        }
        Ok(())
    }

    fn enter_going(&mut self, dir: Ino, listed: SnapshotDir, side: &Side) -> Result<(), Error> {
        for entry in self.snapshot.list(listed)? {
            self.only_live(dir, entry, side);
        }
        Ok(())
    }

    fn see_target(&mut self, parent: Ino, entry: Entry, leads: bool) {
        let ino = entry.attr.ino;
        let seen = self.found.target.entry(ino).or_insert(TargetInode { entry, parent, names: 0, leads });
        seen.names += 1;
    }

    /// Whether anything that is to be switched is in a directory of the target.
    fn leads_to(&self, target: &Entry, side: &Side) -> Result<bool, Error> {
        let Body::Dir(dir) = target.body else { return Ok(false) };
        for entry in self.list(dir)? {
            let below = self.scope.below(side, &entry.name);
            let leads = match below {
                Side::In => true,
                Side::Above(_) => self.leads_to(&entry, &below)?,
                Side::Out => false,
            };
            if leads {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Files with more names than were seen may have the others where both trees are the same. That is rare, and takes a
    /// search.
    fn find_other_names(&mut self) -> Result<(), Error> {
        let found = &self.found;
        let mut seen: FxHashMap<Ino, u32> = FxHashMap::default();
        for name in found.gone.iter().chain(&found.same) {
            *seen.entry(name.ino).or_default() += 1;
        }
        let live = found.live.values().map(|live| (&live.entry.attr, seen.get(&live.entry.attr.ino).copied()));
        let target = found.target.values().map(|target| (&target.entry.attr, Some(target.names)));
        let more = live.chain(target).filter(|(attr, names)| attr.kind != Kind::Dir && attr.nlink > names.unwrap_or(0));
        let wanted: FxHashSet<Ino> =
            more.map(|(attr, _)| attr.ino).filter(|ino| !found.kept.contains_key(ino)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let seen_names: FxHashSet<NameOf> = found.gone.iter().chain(&found.same).cloned().collect();
        let mut todo = vec![LiveInode { entry: self.snapshot.root(), parent: ROOT_INO }];
        while let Some(dir) = todo.pop() {
            let SnapshotBody::Dir(listed) = dir.entry.body else { continue };
            let parent = dir.entry.attr.ino;
            self.found.dirs.entry(parent).or_insert(dir);
            for entry in self.snapshot.list(listed)? {
                let live = LiveInode { entry, parent };
                let ino = live.entry.attr.ino;
                if wanted.contains(&ino) {
                    let name = NameOf { dir: parent, name: live.entry.name.clone(), ino };
                    if !seen_names.contains(&name) {
                        self.found.kept.insert(ino, live.clone());
                    }
                }
                todo.extend((live.entry.attr.kind == Kind::Dir).then_some(live));
            }
        }
        Ok(())
    }

    fn list(&self, dir: DirRef) -> Result<Vec<Entry>, LowerError> {
        let mut entries = Vec::new();
        self.collect(dir.node, &mut entries)?;
        Ok(entries)
    }

    fn collect(&self, node: NodeId, out: &mut Vec<Entry>) -> Result<(), LowerError> {
        match &*self.snapshot.lower.load(node)? {
            Node::Leaf(leaf) => out.extend(leaf.entries.iter().cloned()),
            Node::Branch(branch) => branch.children.iter().try_for_each(|child| self.collect(child.node, out))?,
            Node::Manifest(_) | Node::Root(_) => {
                return Err(LowerError::Damaged { id: node.0, why: "is no directory".to_owned() });
            }
        }
        Ok(())
    }
}
