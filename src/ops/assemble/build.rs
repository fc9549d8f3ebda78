//! Writes an assembled tree: numbers for its inodes, directories from the innermost out, the root.

use rustc_hash::FxHashSet;

use crate::model::{self, Attr, DirRef, Entry, FIRST_INO, Ino, Kind, ROOT_INO, Root, RootId, Totals, Xattrs};
use crate::store::tree::{lookup, write_dir};
use crate::store::{Store, Writer};

use super::{AssembleError, Assembly, Body, Item, Slot, TOP};

/// How a tree is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether what equals the previous tree in kind, mode and content keeps its times and owner. For origins that know
    /// no times.
    pub keep_times: bool,
}

/// A tree that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// Its root.
    pub root: RootId,
    /// How much it holds.
    pub totals: Totals,
}

/// What the previous tree has at the path of an inode.
#[derive(Clone, Debug)]
struct Before {
    attr: Attr,
    body: model::Body,
    xattrs: Option<Xattrs>,
}

struct Builder<'a> {
    assembly: &'a Assembly,
    store: &'a Store,
    writer: &'a Writer,
    settings: Settings,
    before: Vec<Option<Before>>,
    numbers: Vec<Ino>,
    totals: Totals,
    /// Inodes with several names that were counted.
    counted: FxHashSet<Slot>,
}

impl Assembly {
    /// Stores the tree. Paths that `previous` has too keep their inode numbers.
    ///
    /// # Errors
    /// [`AssembleError::Lower`] when the previous tree cannot be read, [`AssembleError::Store`].
    pub fn finish(
        &self,
        store: &Store,
        writer: &Writer,
        previous: Option<&Root>,
        settings: Settings,
    ) -> Result<Assembled, AssembleError> {
        let mut builder = Builder {
            assembly: self,
            store,
            writer,
            settings,
            before: vec![None; self.inodes.len()],
            numbers: vec![0; self.inodes.len()],
            totals: Totals::default(),
            counted: FxHashSet::default(),
        };
        let top = previous.map(|root| Before {
            attr: root.attr.clone(),
            body: model::Body::Dir(root.dir),
            xattrs: root.xattrs.clone(),
        });
        builder.compare(TOP, top)?;
        let next_ino = builder.number(previous.map_or(FIRST_INO, |root| root.next_ino));
        let (attr, dir) = builder.dir(TOP)?;
        let (attr, xattrs) = (Attr { ino: ROOT_INO, ..attr }, builder.xattrs(TOP));
        let totals = builder.totals;
        let root = writer.put_root(&Root { attr, dir, xattrs, next_ino, totals })?;
        Ok(Assembled { root, totals })
    }
}

impl Builder<'_> {
    /// Finds what the previous tree has at each path.
    fn compare(&mut self, slot: Slot, before: Option<Before>) -> Result<(), AssembleError> {
        if self.before[slot].is_some() {
            return Ok(());
        }
        let inode = &self.assembly.inodes[slot];
        if let Body::Dir(entries) = &inode.body {
            let dir = match before.as_ref().map(|before| &before.body) {
                Some(model::Body::Dir(dir)) => Some(*dir),
                _ => None,
            };
            for (name, &below) in entries {
                let found = dir.map(|dir| lookup(self.store, dir, name.as_bytes())).transpose()?.flatten();
                let found = found.map(|entry| Before {
                    attr: entry.attr.clone(),
                    body: entry.body.clone(),
                    xattrs: entry.xattrs.clone(),
                });
                self.compare(below, found)?;
            }
        }
        self.before[slot] = before.filter(|before| before.attr.kind == kind_of(&inode.body));
        Ok(())
    }

    /// Gives every inode a number; returns one above all.
    fn number(&mut self, previous_next: Ino) -> Ino {
        let mut used = FxHashSet::default();
        self.numbers[TOP] = ROOT_INO;
        for slot in TOP + 1..self.numbers.len() {
            let ino = self.before[slot].as_ref().map(|before| before.attr.ino);
            if let Some(ino) = ino.filter(|ino| *ino >= FIRST_INO && self.assembly.inodes[slot].names > 0)
                && used.insert(ino)
            {
                self.numbers[slot] = ino;
            }
        }
        let mut next = previous_next.max(FIRST_INO);
        for slot in TOP + 1..self.numbers.len() {
            if self.numbers[slot] == 0 && self.assembly.inodes[slot].names > 0 {
                self.numbers[slot] = next;
                next += 1;
            }
        }
        next
    }

    /// Stores a directory.
    fn dir(&mut self, slot: Slot) -> Result<(Attr, DirRef), AssembleError> {
        let Body::Dir(entries) = &self.assembly.inodes[slot].body else {
            unreachable!("only directories are stored as such");
        };
        let mut out = Vec::with_capacity(entries.len());
        let mut subdirs = 0;
        for (name, &below) in entries {
            let (attr, body) = match &self.assembly.inodes[below].body {
                Body::Dir(_) => {
                    subdirs += 1;
                    let (attr, dir) = self.dir(below)?;
                    (attr, model::Body::Dir(dir))
                }
                Body::Leaf(item) => self.leaf(below, item),
            };
            out.push(Entry { name: name.clone(), attr, body, xattrs: self.xattrs(below) });
        }
        self.totals.dirs += 1;
        let dir = write_dir(self.writer, out)?;
        let mut attr = self.attr(slot, 0, 0);
        attr.nlink = 2 + subdirs;
        if let Some(before) = self.kept(slot)
            && matches!(before.body, model::Body::Dir(was) if was.content == dir.content)
        {
            attr = Attr { nlink: attr.nlink, ino: attr.ino, ..before.attr.clone() };
        }
        Ok((attr, dir))
    }

    /// An entry that is no directory, as it is stored.
    fn leaf(&mut self, slot: Slot, item: &Item) -> (Attr, model::Body) {
        let (body, rdev, size) = match item {
            Item::File { content, len_bytes } => (model::Body::File(*content), 0, *len_bytes),
            Item::Symlink(target) => (model::Body::Symlink(target.clone()), 0, target.len() as u64),
            Item::Special { rdev, .. } => (model::Body::Special, *rdev, 0),
            Item::Dir => unreachable!("directories have entries"),
        };
        if self.counted.insert(slot) {
            self.totals.files += 1;
            if let Item::File { len_bytes, .. } = item {
                self.totals.size_bytes += len_bytes;
            }
        }
        let mut attr = self.attr(slot, rdev, size);
        if let Some(before) = self.kept(slot)
            && before.body == body
            && before.attr.size == attr.size
            && before.attr.perm == attr.perm
        {
            attr = Attr { nlink: attr.nlink, ino: attr.ino, ..before.attr.clone() };
        }
        (attr, body)
    }

    fn attr(&self, slot: Slot, rdev: u32, size: u64) -> Attr {
        let inode = &self.assembly.inodes[slot];
        let mut attr = inode.meta.attr(kind_of(&inode.body), rdev, size);
        attr.ino = self.numbers[slot];
        attr.nlink = inode.names;
        attr
    }

    fn xattrs(&self, slot: Slot) -> Option<Xattrs> {
        match self.kept(slot) {
            Some(before) => before.xattrs.clone(),
            None => self.assembly.inodes[slot].meta.xattrs.clone(),
        }
    }

    /// The previous state of an inode, if what is equal is to stay.
    fn kept(&self, slot: Slot) -> Option<&Before> {
        self.before[slot].as_ref().filter(|_| self.settings.keep_times)
    }
}

fn kind_of(body: &Body) -> Kind {
    match body {
        Body::Dir(_) | Body::Leaf(Item::Dir) => Kind::Dir,
        Body::Leaf(Item::File { .. }) => Kind::File,
        Body::Leaf(Item::Symlink(_)) => Kind::Symlink,
        Body::Leaf(Item::Special { kind, .. }) => *kind,
    }
}
