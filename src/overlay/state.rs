//! What a session changed, in memory, and how records change it.
//!
//! The same [`State::apply`] runs when an operation happens and when the journal is read back, so that what was is what
//! will be. It never fails: a record about an inode that is not there has no effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Attr, FIRST_INO, Ino, InodeRecord, Kind, Origin, Place, ROOT_INO, Record, Root, Totals, Xattrs};

use super::core::Moved;
use super::cow_map::CowMap;
use super::extents::{Dead, Extent};
use super::file_data::FileData;
use super::inode::{Dentry, DirData, FIRST_ADDED_COOKIE, Inode, InodeBody};
use super::nodes::Shown;
use super::touched::Touched;

/// The delta of a session: inodes by number. The root directory is always there.
#[derive(Debug)]
pub(super) struct State {
    /// Shared with snapshots of the state, and copied when one of the two changes.
    pub inodes: CowMap<Ino, Arc<Inode>>,
    /// Numbers from here on are free.
    pub next_ino: Ino,
    /// How much the tree holds.
    pub totals: Totals,
    /// The inodes that changed since the last seal. A directory changes with its names.
    pub touched: Touched,
    /// How often frozen directories came in from another tree, since the journal was read.
    pub rebased: u64,
    /// Numbers from here on are not in the base.
    first_new_ino: Ino,
    next_cookie: u64,
    /// The root directory as it was, to tell what of it changed.
    base: (Attr, Option<Xattrs>),
}

impl State {
    /// A session on `root` in which nothing was changed.
    pub fn new(root: &Root) -> Self {
        let first_new_ino = root.next_ino.max(FIRST_INO);
        Self {
            inodes: CowMap::from_iter([(ROOT_INO, Arc::new(Inode::root(root)))]),
            next_ino: first_new_ino,
            totals: root.totals,
            touched: Touched::default(),
            rebased: 0,
            first_new_ino,
            next_cookie: FIRST_ADDED_COOKIE,
            base: (root.attr.clone(), root.xattrs.clone()),
        }
    }

    /// The same state for a snapshot, of which nothing counts as changed. It costs a pointer for some hundred inodes.
    pub fn copy(&self) -> Self {
        Self {
            inodes: self.inodes.clone(),
            next_ino: self.next_ino,
            totals: self.totals,
            touched: Touched::default(),
            rebased: self.rebased,
            first_new_ino: self.first_new_ino,
            next_cookie: self.next_cookie,
            base: self.base.clone(),
        }
    }

    /// The same state with what counts as changed; nothing if nothing does.
    pub fn copy_if_touched(&self) -> Option<Self> {
        (!self.touched.is_empty()).then(|| Self { touched: self.touched.clone(), ..self.copy() })
    }

    /// Applies one record; ranges of the upper that nothing refers to afterwards are added to `dead`.
    pub fn apply(&mut self, record: Record, dead: &mut Dead) {
        self.touch(&record);
        match record {
            Record::Inode(record) => {
                let ino = record.attr.ino;
                self.next_ino = self.next_ino.max(ino.saturating_add(1));
                self.recount(&record);
                match self.inode_mut(ino) {
                    Some(inode) => inode.update(&record.attr, record.parent, dead),
                    None => {
                        self.inodes.insert(ino, Arc::new(Inode::new(*record)));
                    }
                }
            }
            Record::Link { parent, name, ino, kind } => {
                let dir = self.inodes.get_mut(&parent).map(|inode| &mut Arc::make_mut(inode).body);
                if let Some(InodeBody::Dir(dir)) = dir {
                    dir.link(name, ino, kind, &mut self.next_cookie);
                }
            }
            Record::Unlink { parent, name } => {
                if let Some(InodeBody::Dir(dir)) = self.inode_mut(parent).map(|inode| &mut inode.body) {
                    dir.unlink(name);
                }
            }
            Record::Write { ino, offset, len_bytes, place, time } => {
                self.extend(ino, offset, len_bytes, Extent::Data(place), dead);
                if let Some(inode) = self.inode_mut(ino) {
                    let grown = inode.grow(offset + len_bytes, time);
                    self.totals.size_bytes = self.totals.size_bytes.saturating_add(grown);
                }
            }
            Record::Zero { ino, offset, len_bytes, allocated } => {
                self.extend(ino, offset, len_bytes, Extent::Zero { allocated }, dead);
            }
            Record::Xattr { ino, name, value } => {
                if let Some(inode) = self.inode_mut(ino) {
                    set_xattr(inode, name, value);
                }
            }
            Record::Drop { ino } => {
                self.next_ino = self.next_ino.max(ino.saturating_add(1));
                self.drop_inode(ino, dead);
            }
            Record::Totals(totals) => self.totals = totals,
            Record::Rebased { next_ino } => {
                self.rebased += 1;
                self.next_ino = self.next_ino.max(next_ino);
                self.first_new_ino = self.first_new_ino.max(next_ino);
            }
            Record::NextCookie(cookie) => self.next_cookie = cookie.max(FIRST_ADDED_COOKIE),
            Record::Served { .. } => {}
        }
    }

    /// Forgets an inode and the data it held.
    pub fn drop_inode(&mut self, ino: Ino, dead: &mut Dead) {
        if ino != ROOT_INO
            && let Some(mut inode) = self.inodes.remove(&ino)
        {
            self.touched.remove(ino);
            if let InodeBody::File(file) = &mut Arc::make_mut(&mut inode).body {
                file.truncate(0, dead);
            }
        }
    }

    /// Inodes without a name, which only open files keep.
    pub fn orphans(&self) -> Vec<Ino> {
        self.inodes.values().filter(|inode| inode.is_unnamed()).map(|inode| inode.ino()).collect()
    }

    /// The places that inodes refer to, with their lengths in bytes; those without a name count if they are kept.
    pub fn places(&self, keep_orphans: bool) -> Vec<(Place, u64)> {
        let kept = self.inodes.values().filter(|inode| keep_orphans || !inode.is_unnamed());
        let files = kept.filter_map(|inode| inode.file());
        let extents = files.flat_map(FileData::extents);
        extents
            .filter_map(|(_, len, extent)| match extent {
                Extent::Data(place) => Some((place, len)),
                Extent::Zero { .. } => None,
            })
            .collect()
    }

    /// The records that make this state out of a new one, and nothing that history left behind.
    pub fn dump(&self) -> impl Iterator<Item = Record> + '_ {
        let mut inos: Vec<Ino> = self.inodes.keys().copied().collect();
        inos.sort_unstable();
        let gone = self.base.1.iter().flat_map(|map| map.keys()).map(|name| Record::Xattr {
            ino: ROOT_INO,
            name: name.clone(),
            value: None,
        });
        let mut next_cookie = FIRST_ADDED_COOKIE;
        let inodes = inos.into_iter().flat_map(move |ino| dump_inode(&self.inodes[&ino], &mut next_cookie));
        // The highest number that was ever given out, so that none is given twice.
        let last = self.next_ino.saturating_sub(1);
        let given =
            (last >= self.first_new_ino && !self.inodes.contains_key(&last)).then_some(Record::Drop { ino: last });
        let rebased = Record::Rebased { next_ino: self.first_new_ino };
        let last = [Record::NextCookie(self.next_cookie), Record::Totals(self.totals)];
        gone.chain([rebased]).chain(inodes).chain(given).chain(last)
    }

    /// Whether nothing differs from the base that the session stands on.
    pub fn is_clean(&self) -> bool {
        let root = &self.inodes[&ROOT_INO];
        self.inodes.len() == 1
            && root.dir().is_some_and(|dir| dir.names.is_empty())
            && (&root.attr(), root.xattrs()) == (&self.base.0, self.base.1.as_ref())
    }

    /// Data was moved: what referred to the old places refers to the new ones.
    pub fn relocate(&mut self, mut moved: Vec<Moved>) {
        moved.sort_unstable_by_key(|&(from, ..)| from);
        for inode in self.inodes.values_mut().map(Arc::make_mut) {
            if let InodeBody::File(file) = &mut inode.body {
                file.relocate(&moved);
            }
        }
    }

    /// Notes what a record is about to change.
    fn touch(&mut self, record: &Record) {
        let (ino, data) = match record {
            Record::Inode(inode) => {
                let before = self.inodes.get(&inode.attr.ino).map(|before| before.size());
                (inode.attr.ino, before != Some(inode.attr.size))
            }
            Record::Link { parent, .. } | Record::Unlink { parent, .. } => (*parent, false),
            Record::Write { ino, .. } | Record::Zero { ino, .. } => (*ino, true),
            Record::Xattr { ino, .. } => (*ino, false),
            Record::Totals(_) | Record::Rebased { .. } | Record::Drop { .. } => return,
            Record::Served { .. } | Record::NextCookie(_) => return,
        };
        self.touched.note(ino, data);
    }

    /// Counts an inode as a record says it is, in place of what it was.
    fn recount(&mut self, record: &InodeRecord) {
        let before = match (self.inodes.get(&record.attr.ino), &record.origin) {
            (Some(inode), _) => share(&inode.attr(), inode.size()),
            (None, _) if record.attr.ino >= self.first_new_ino => Totals::default(),
            (None, Origin::File { len_bytes, .. }) => share(&Attr { nlink: 1, ..record.attr.clone() }, *len_bytes),
            (None, _) => share(&Attr { nlink: 1, ..record.attr.clone() }, 0),
        };
        count(&mut self.totals, before, share(&record.attr, record.attr.size));
    }

    /// What of the frozen directories shows.
    pub fn shown_dirs(&self) -> Shown {
        let dirs = self.inodes.values().filter(|inode| !inode.is_unnamed()).filter_map(|inode| {
            let dir = inode.dir()?;
            Some((inode.ino(), dir.base?, dir.names.keys().cloned().collect()))
        });
        Shown { dirs: dirs.collect(), inodes: self.inodes.keys().copied().collect() }
    }

    fn inode_mut(&mut self, ino: Ino) -> Option<&mut Inode> {
        self.inodes.get_mut(&ino).map(Arc::make_mut)
    }

    fn extend(&mut self, ino: Ino, offset: u64, len: u64, extent: Extent, dead: &mut Dead) {
        match self.inode_mut(ino).map(|inode| &mut inode.body) {
            Some(InodeBody::File(file)) => file.set(offset, len, extent, dead),
            _ => {
                if let Extent::Data(place) = extent {
                    dead.push((place, len));
                }
            }
        }
    }
}

/// Counts something as it is, in place of what it was.
pub(super) fn count(totals: &mut Totals, before: Totals, after: Totals) {
    let change = |total: u64, before: u64, after: u64| total.saturating_add(after).saturating_sub(before);
    *totals = Totals {
        files: change(totals.files, before.files, after.files),
        dirs: change(totals.dirs, before.dirs, after.dirs),
        size_bytes: change(totals.size_bytes, before.size_bytes, after.size_bytes),
    };
}

/// What an inode adds to the totals of its tree.
pub(super) fn share(attr: &Attr, size_bytes: u64) -> Totals {
    match attr.kind {
        _ if attr.nlink == 0 => Totals::default(),
        Kind::Dir => Totals { dirs: 1, ..Totals::default() },
        Kind::File => Totals { files: 1, dirs: 0, size_bytes },
        _ => Totals { files: 1, ..Totals::default() },
    }
}

fn set_xattr(inode: &mut Inode, name: Box<[u8]>, value: Option<Box<[u8]>>) {
    let mut map: BTreeMap<Box<[u8]>, Box<[u8]>> = inode.xattrs().map(|map| BTreeMap::clone(map)).unwrap_or_default();
    match value {
        Some(value) => {
            map.insert(name, value);
        }
        None => {
            map.remove(&name);
        }
    }
    inode.set_xattrs(if map.is_empty() { None } else { Some(Arc::new(map)) });
}

fn dump_inode(inode: &Inode, next_cookie: &mut u64) -> Vec<Record> {
    let ino = inode.ino();
    let mut out = vec![Record::Inode(Box::new(inode.record()))];
    for (name, value) in inode.xattrs().into_iter().flat_map(|map| map.iter()) {
        out.push(Record::Xattr { ino, name: name.clone(), value: Some(value.clone()) });
    }
    match &inode.body {
        InodeBody::File(file) => {
            let shown = file.base().map_or(0, |base| base.len.min(inode.size()));
            if file.visible() < shown {
                let (offset, len_bytes) = (file.visible(), shown - file.visible());
                out.push(Record::Zero { ino, offset, len_bytes, allocated: false });
            }
            for (offset, len_bytes, extent) in file.extents() {
                out.push(match extent {
                    Extent::Data(place) => Record::Write { ino, offset, len_bytes, place, time: inode.attr().mtime },
                    Extent::Zero { allocated } => Record::Zero { ino, offset, len_bytes, allocated },
                });
            }
            // Writes set times and grow the file; the attributes are said once more, last.
            if out.len() > 1 {
                out.push(out[0].clone());
            }
        }
        InodeBody::Dir(dir) => dump_dir(ino, dir, next_cookie, &mut out),
        InodeBody::Symlink(_) | InodeBody::Special => {}
    }
    out
}

fn dump_dir(ino: Ino, dir: &DirData, next_cookie: &mut u64, out: &mut Vec<Record>) {
    let mut hidden: Vec<_> = dir.names.iter().filter(|(_, dentry)| !is_added(dentry)).collect();
    hidden.sort_unstable_by_key(|(name, _)| *name);
    for (name, dentry) in hidden {
        out.push(Record::Unlink { parent: ino, name: name.clone() });
        if let Some(link) = dentry.link() {
            out.push(Record::Link { parent: ino, name: name.clone(), ino: link.ino, kind: link.kind });
        }
    }
    for (name, link) in dir.added_from(0) {
        if link.cookie != *next_cookie {
            out.push(Record::NextCookie(link.cookie));
        }
        *next_cookie = link.cookie + 1;
        out.push(Record::Link { parent: ino, name: name.clone(), ino: link.ino, kind: link.kind });
    }
}

fn is_added(dentry: &Dentry) -> bool {
    dentry.link().is_some_and(|link| link.cookie != 0)
}
