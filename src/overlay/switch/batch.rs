//! The records that carry a plan out, and what the kernel has to be told.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Attr, Ino, InodeRecord, Kind, Name, Origin, ROOT_INO, Record, Root, Timestamp, Totals, Xattrs};
use crate::overlay::inode::Inode;
use crate::overlay::state::{count, share};

use super::Stale;
use super::found::{LiveInode, NameOf, TargetInode, origin_of, same_content, same_inode};
use super::plan::{Fate, Plan};

/// One atomic change.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub records: Vec<Record>,
    pub stale: Vec<Stale>,
    /// Inodes that lose their names and that neither the delta nor the kernel knows; the kernel may come to know them
    /// until the change takes effect.
    pub unknown: Vec<(Ino, Inode)>,
}

pub(super) struct Maker<'a> {
    plan: &'a Plan<'a>,
    target: &'a Root,
    whole: bool,
    now: Timestamp,
    inodes: Vec<Record>,
    more: Vec<Record>,
    done: FxHashSet<Ino>,
    /// Directories that names or inodes below need in the delta.
    needed: Vec<Ino>,
    totals: Totals,
    /// How many names each inode loses and gets, and directories how many subdirectories.
    names: FxHashMap<Ino, (u32, u32)>,
    subdirs: FxHashMap<Ino, (u32, u32)>,
    /// How many subdirectories of the target's directories come.
    leading: FxHashMap<Ino, u32>,
    /// The kinds of the target's inodes, by the numbers that they get.
    kinds: FxHashMap<Ino, Kind>,
    batch: Batch,
}

impl<'a> Maker<'a> {
    pub fn new(plan: &'a Plan<'a>, target: &'a Root, whole: bool, now: Timestamp) -> Self {
        Self {
            plan,
            target,
            whole,
            now,
            inodes: Vec::new(),
            more: Vec::new(),
            done: FxHashSet::default(),
            needed: Vec::new(),
            totals: plan.state.totals,
            names: FxHashMap::default(),
            subdirs: FxHashMap::default(),
            leading: FxHashMap::default(),
            kinds: FxHashMap::default(),
            batch: Batch::default(),
        }
    }

    pub fn make(mut self) -> Batch {
        self.count_names();
        self.become_targets();
        self.remove_the_rest();
        self.touch_dirs();
        self.change_names();
        self.copy_up();
        let totals = if self.whole { self.target.totals } else { self.totals };
        let mut records = vec![Record::Rebased { next_ino: self.plan.next_ino.max(self.target.next_ino) }];
        let mut taken: Vec<Ino> = self.plan.taken.iter().copied().collect();
        taken.sort_unstable();
        records.extend(taken.into_iter().map(|ino| Record::Drop { ino }));
        records.append(&mut self.inodes);
        records.append(&mut self.more);
        records.push(Record::Totals(totals));
        self.batch.records = records;
        self.batch
    }

    fn kind_of(&self, ino: Ino) -> Kind {
        let live = self.plan.found.live.get(&ino).or_else(|| self.plan.found.kept.get(&ino));
        live.map_or(Kind::File, |live| live.entry.attr.kind)
    }

    fn count_names(&mut self) {
        let targets = self.plan.found.target.iter();
        self.kinds = targets.map(|(ino, target)| (self.plan.number(*ino), target.entry.attr.kind)).collect();
        for name in &self.plan.found.come {
            if self.plan.found.target[&name.ino].entry.attr.kind == Kind::Dir {
                *self.leading.entry(name.dir).or_default() += 1;
            }
        }
        for name in &self.plan.gone {
            self.names.entry(name.ino).or_default().0 += 1;
            if self.kind_of(name.ino) == Kind::Dir {
                self.subdirs.entry(name.dir).or_default().0 += 1;
            }
        }
        for name in &self.plan.come {
            self.names.entry(name.ino).or_default().1 += 1;
            if self.kinds.get(&name.ino) == Some(&Kind::Dir) {
                self.subdirs.entry(name.dir).or_default().1 += 1;
            }
        }
    }

    fn holds(&self, ino: Ino) -> bool {
        self.plan.known.lock().holds(ino)
    }

    /// Writes the inode down, once.
    fn put(&mut self, attr: Attr, parent: Ino, (origin, symlink): (Origin, Box<[u8]>)) {
        self.done.insert(attr.ino);
        self.inodes.push(Record::Inode(Box::new(InodeRecord { attr, parent, origin, symlink })));
    }

    /// Makes extended attributes what they are to be; `before` is what the delta's inode has.
    fn put_xattrs(&mut self, ino: Ino, before: Option<&Xattrs>, after: Option<&Xattrs>) {
        let lost = before.into_iter().flat_map(|map| map.keys());
        let lost = lost.filter(|name| after.is_none_or(|after| !after.contains_key(*name)));
        self.more.extend(lost.map(|name| Record::Xattr { ino, name: name.clone(), value: None }));
        for (name, value) in after.into_iter().flat_map(|map| map.iter()) {
            if before.and_then(|before| before.get(name)) != Some(value) {
                self.more.push(Record::Xattr { ino, name: name.clone(), value: Some(value.clone()) });
            }
        }
    }

    fn become_targets(&mut self) {
        let mut inos: Vec<Ino> = self.plan.found.target.keys().copied().collect();
        inos.sort_unstable();
        for ino in inos {
            let target = &self.plan.found.target[&ino];
            match self.plan.fate(ino) {
                Some(Fate::Same) => self.become_target(target),
                Some(Fate::Linked) => self.link_more(ino, target),
                Some(Fate::Made(number)) => self.make_inode(ino, number, target),
                None => {}
            }
        }
    }

    /// The session's inode becomes the target's.
    fn become_target(&mut self, target: &TargetInode) {
        let number = self.plan.number(target.entry.attr.ino);
        let Some(live) = self.plan.found.live.get(&number) else { return };
        let parent = self.plan.number(target.parent);
        let attr = self.attr_of(number, target);
        count(&mut self.totals, share(&live.entry.attr, live.entry.attr.size), share(&attr, attr.size));
        let same = same_inode(&live.entry, &target.entry) && attr == live.entry.attr;
        let delta = self.plan.state.inodes.get(&number);
        // A name can only lead to an inode that is in the delta.
        let is_named_anew = delta.is_none() && self.names.get(&number).is_some_and(|(_, got)| *got > 0);
        if same && live.parent == parent && !is_named_anew {
            return;
        }
        self.needed.push(parent);
        let content = same_content(&live.entry, &target.entry);
        let origin = match attr.kind {
            // What is in a directory is said by names.
            Kind::Dir => origin_of(&live.entry),
            _ => made_of(target),
        };
        if delta.is_some() && !content {
            self.inodes.push(Record::Drop { ino: number });
            self.put(attr, parent, origin);
            self.put_xattrs(number, None, target.entry.xattrs.as_ref());
        } else {
            self.put(attr, parent, origin);
            let before = delta.and_then(|inode| inode.xattrs());
            self.put_xattrs(number, before, target.entry.xattrs.as_ref());
        }
        if self.holds(number) {
            let how = if content { Stale::Attributes(number) } else { Stale::Content(number) };
            self.batch.stale.push(how);
        }
    }

    /// The attributes that an inode of the target gets.
    fn attr_of(&self, number: Ino, target: &TargetInode) -> Attr {
        let mut attr = Attr { ino: number, ..target.entry.attr.clone() };
        if self.whole {
            return attr;
        }
        if attr.kind != Kind::Dir {
            attr.nlink = target.names;
        } else if target.leads {
            // All its names come.
            attr.nlink = 2 + self.leading.get(&target.entry.attr.ino).copied().unwrap_or(0);
        }
        attr
    }

    /// The session has the inode as it is to be; only its names are others.
    fn link_more(&mut self, ino: Ino, target: &TargetInode) {
        let (lost, got) = self.names.get(&ino).copied().unwrap_or_default();
        self.needed.push(self.plan.number(target.parent));
        let in_delta = self.plan.state.inodes.contains_key(&ino);
        if let Some(kept) = self.plan.found.kept.get(&ino).filter(|_| lost != got || !in_delta) {
            self.relink(kept, got, lost);
        }
    }

    /// An inode keeps names, but not all, or gets more.
    fn relink(&mut self, live: &LiveInode, got: u32, lost: u32) {
        let ino = live.entry.attr.ino;
        let nlink = (live.entry.attr.nlink + got).saturating_sub(lost).max(1);
        let attr = Attr { nlink, ctime: self.now, ..live.entry.attr.clone() };
        self.needed.push(live.parent);
        self.put(attr, live.parent, origin_of(&live.entry));
        if !self.plan.state.inodes.contains_key(&ino) {
            self.put_xattrs(ino, None, live.entry.xattrs.as_ref());
        }
        if self.holds(ino) {
            self.batch.stale.push(Stale::Attributes(ino));
        }
    }

    fn make_inode(&mut self, ino: Ino, number: Ino, target: &TargetInode) {
        let attr = self.attr_of(number, target);
        count(&mut self.totals, Totals::default(), share(&attr, attr.size));
        if !self.plan.is_in_delta(ino) {
            return;
        }
        let parent = self.plan.number(target.parent);
        self.needed.push(parent);
        let origin = if target.leads { (Origin::New, Box::default()) } else { made_of(target) };
        self.put(attr, parent, origin);
        self.put_xattrs(number, None, target.entry.xattrs.as_ref());
    }

    /// Inodes of the session that are not in the target.
    fn remove_the_rest(&mut self) {
        let mut inos: Vec<Ino> = self.plan.found.live.keys().copied().collect();
        inos.sort_unstable();
        for ino in inos {
            if matches!(self.plan.fate(ino), Some(Fate::Same | Fate::Linked)) || self.is_paired(ino) {
                continue;
            }
            let live = &self.plan.found.live[&ino];
            let lost = self.names.get(&ino).map_or(0, |names| names.0);
            let left = live.entry.attr.nlink.saturating_sub(lost);
            if live.entry.attr.kind != Kind::Dir && left > 0 && self.plan.found.kept.contains_key(&ino) {
                let kept = &self.plan.found.kept[&ino];
                self.relink(kept, 0, lost);
                continue;
            }
            count(&mut self.totals, share(&live.entry.attr, live.entry.attr.size), Totals::default());
            if !self.plan.taken.contains(&ino) {
                self.orphan(live);
            }
        }
    }

    fn is_paired(&self, live: Ino) -> bool {
        // In paths that are switched, a pair has one number.
        self.plan.found.pairs.get(&live) == Some(&live)
    }

    /// An inode loses its last name. It stays for those who hold it; a directory is empty for them.
    fn orphan(&mut self, live: &LiveInode) {
        let ino = live.entry.attr.ino;
        let attr = Attr { nlink: 0, ctime: self.now, ..live.entry.attr.clone() };
        let is_dir = attr.kind == Kind::Dir;
        let (origin, symlink) = if is_dir { (Origin::New, Box::default()) } else { origin_of(&live.entry) };
        let known = self.holds(ino);
        if self.plan.state.inodes.contains_key(&ino) {
            if is_dir {
                self.inodes.push(Record::Drop { ino });
                self.put_xattrs(ino, None, live.entry.xattrs.as_ref());
            }
            self.put(attr, live.parent, (origin, symlink));
        } else if known {
            self.put(attr, live.parent, (origin, symlink));
            self.put_xattrs(ino, None, live.entry.xattrs.as_ref());
        } else {
            let mut inode = Inode::new(InodeRecord { attr, parent: live.parent, origin, symlink });
            inode.set_xattrs(live.entry.xattrs.clone());
            self.batch.unknown.push((ino, inode));
        }
        if known {
            self.batch.stale.push(Stale::Attributes(ino));
        }
    }

    /// Directories outside of what is switched whose names change, as by a program.
    fn touch_dirs(&mut self) {
        let names = self.plan.gone.iter().chain(&self.plan.come);
        let dirs: FxHashSet<Ino> = names.map(|name| name.dir).filter(|dir| self.plan.stays(*dir)).collect();
        let mut dirs: Vec<Ino> = dirs.into_iter().collect();
        dirs.sort_unstable();
        for dir in dirs {
            self.needed.push(dir);
            if self.holds(dir) {
                self.batch.stale.push(Stale::Content(dir));
            }
            let switched = self.done.contains(&dir) || self.plan.found.inside.contains(&dir);
            let Some(live) = self.plan.found.dirs.get(&dir).filter(|_| !switched) else { continue };
            let (lost, got) = self.subdirs.get(&dir).copied().unwrap_or_default();
            let nlink = (live.entry.attr.nlink + got).saturating_sub(lost);
            let attr = Attr { nlink, mtime: self.now, ctime: self.now, ..live.entry.attr.clone() };
            self.put_up(live, attr);
        }
    }

    /// Takes a directory into the delta, or changes its attributes there.
    fn put_up(&mut self, live: &LiveInode, attr: Attr) {
        let ino = attr.ino;
        if ino != ROOT_INO {
            self.needed.push(live.parent);
        }
        self.put(attr, live.parent, origin_of(&live.entry));
        if !self.plan.state.inodes.contains_key(&ino) {
            self.put_xattrs(ino, None, live.entry.xattrs.as_ref());
        }
    }

    /// Every directory above something in the delta is in the delta.
    fn copy_up(&mut self) {
        while let Some(ino) = self.needed.pop() {
            if self.done.contains(&ino) || self.plan.state.inodes.contains_key(&ino) {
                continue;
            }
            if let Some(live) = self.plan.found.dirs.get(&ino) {
                self.put_up(live, live.entry.attr.clone());
            }
        }
    }

    fn change_names(&mut self) {
        let plan = self.plan;
        let mut come: FxHashMap<(Ino, &Name), &NameOf> = FxHashMap::default();
        for name in &plan.come {
            come.insert((name.dir, &name.name), name);
        }
        // From the inside out: a directory can be told to be gone once nothing is in it.
        for name in plan.gone.iter().rev() {
            self.tell_gone(name);
            if !plan.stays(name.dir) {
                continue;
            }
            match come.remove(&(name.dir, &name.name)) {
                Some(new) => self.replace(new),
                None => self.more.push(Record::Unlink { parent: name.dir, name: name.name.clone() }),
            }
        }
        let mut rest: Vec<&NameOf> = come.into_values().collect();
        rest.sort_unstable();
        for name in rest {
            match plan.is_through(name.dir) {
                true if plan.is_fresh(name.ino) => {
                    self.replace(name);
                    continue;
                }
                true => continue,
                false => {}
            }
            self.link(name);
            if self.holds(name.dir) {
                self.batch.stale.push(Stale::Entry { parent: name.dir, name: name.name.clone() });
            }
        }
    }

    fn tell_gone(&mut self, name: &NameOf) {
        if !self.holds(name.dir) {
            return;
        }
        let (parent, ino) = (name.dir, name.ino);
        let stale = match self.plan.stays(ino) {
            true => Stale::Entry { parent, name: name.name.clone() },
            false => Stale::Gone { parent, name: name.name.clone(), ino },
        };
        self.batch.stale.push(stale);
    }

    /// A name stands for another inode. One that the base has is first taken away, so that it keeps its place in listings.
    fn replace(&mut self, name: &NameOf) {
        let dir = self.plan.state.inodes.get(&name.dir).and_then(|inode| inode.dir());
        let of_delta = dir.is_some_and(|dir| dir.names.get(&name.name).is_some_and(|dentry| dentry.link().is_some()));
        if !of_delta {
            self.more.push(Record::Unlink { parent: name.dir, name: name.name.clone() });
        }
        self.link(name);
    }

    fn link(&mut self, name: &NameOf) {
        let kind = self.kinds.get(&name.ino).copied().unwrap_or_else(|| self.kind_of(name.ino));
        self.more.push(Record::Link { parent: name.dir, name: name.name.clone(), ino: name.ino, kind });
    }
}

/// What an inode of the target is made of.
fn made_of(target: &TargetInode) -> (Origin, Box<[u8]>) {
    let symlink = match &target.entry.body {
        crate::model::Body::Symlink(target) => target.clone(),
        _ => Box::default(),
    };
    (Origin::of(&target.entry.body, target.entry.attr.size), symlink)
}
