//! One change: it reads the state, drafts what is to be different, and becomes a batch of records.
//!
//! Nothing is changed until the batch is in the journal. A draft is an inode as it will be; the first draft of a frozen
//! inode is its copy-up, which takes the directories above it along, so that every inode of the delta can be reached
//! from the root through the delta alone.

use crate::model::{
    Attr, Body, DirRef, Entry, Ino, InodeRecord, Kind, Name, Origin, ROOT_INO, Record, Timestamp, Xattrs,
};

use super::inode::Dentry;
use super::known::{KnownTable, Location};
use super::nodes::{Found, Nodes, Stop, leaf};
use super::state::State;
use super::{Caller, Error};

/// What reading needs: the state, the nodes, and where the kernel's inodes stand.
pub(super) struct View<'a> {
    pub state: &'a State,
    pub nodes: &'a Nodes<'a>,
    pub known: &'a parking_lot::Mutex<KnownTable>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub ino: Ino,
    pub kind: Kind,
    /// The attributes and the place in the base, for an inode that the delta does not have.
    pub frozen: Option<(Attr, Location)>,
    /// Whether the base has an entry of this name that the delta says nothing about.
    pub hides_base: bool,
}

impl View<'_> {
    /// The frozen entry of an inode that the delta does not have, with the directory it was found in.
    pub fn frozen<T>(&self, ino: Ino, take: impl FnOnce(&Entry, Ino) -> T) -> Result<T, Stop> {
        let location = self.known.lock().location(ino).ok_or(Stop::Lost(ino))?;
        let node = self.nodes.get(location.leaf)?;
        let entry = leaf(location.leaf, &node)?.entries.get(location.index as usize);
        match entry.filter(|entry| entry.attr.ino == ino) {
            Some(entry) => Ok(take(entry, location.parent)),
            None => Err(Error::Stale.into()),
        }
    }

    /// The attributes of an inode.
    pub fn attr(&self, ino: Ino) -> Result<Attr, Stop> {
        match self.state.inodes.get(&ino) {
            Some(inode) => Ok(inode.attr()),
            None => self.frozen(ino, |entry, _| entry.attr.clone()),
        }
    }

    /// The extended attributes of an inode.
    pub fn xattrs(&self, ino: Ino) -> Result<Option<Xattrs>, Stop> {
        match self.state.inodes.get(&ino) {
            Some(inode) => Ok(inode.xattrs().cloned()),
            None => self.frozen(ino, |entry, _| entry.xattrs.clone()),
        }
    }

    /// The frozen side of a directory, if it has one.
    pub fn base_dir(&self, ino: Ino) -> Result<Option<DirRef>, Stop> {
        match self.state.inodes.get(&ino) {
            Some(inode) => Ok(inode.dir().ok_or(Error::NotDir)?.base),
            None => self
                .frozen(ino, |entry, _| match &entry.body {
                    Body::Dir(dir) => Ok(Some(*dir)),
                    _ => Err(Error::NotDir),
                })?
                .map_err(Stop::Fail),
        }
    }

    /// What a name in a directory stands for.
    pub fn target(&self, parent: Ino, name: &[u8]) -> Result<Option<Target>, Stop> {
        let mut base = None;
        if let Some(inode) = self.state.inodes.get(&parent) {
            let dir = inode.dir().ok_or(Error::NotDir)?;
            match dir.names.get(name).map(Dentry::link) {
                Some(None) => return Ok(None),
                Some(Some(link)) => {
                    return Ok(Some(Target { ino: link.ino, kind: link.kind, frozen: None, hides_base: false }));
                }
                None => base = dir.base,
            }
        } else {
            base = self.base_dir(parent)?.or(base);
        }
        let Some(base) = base else { return Ok(None) };
        let Some(found) = self.nodes.find(base, name)? else { return Ok(None) };
        self.frozen_target(parent, &found).map(Some)
    }

    /// The target that a frozen entry is, unless the delta has changed the inode.
    fn frozen_target(&self, parent: Ino, found: &Found) -> Result<Target, Stop> {
        let attr = &found.entry()?.attr;
        let frozen = if self.state.inodes.contains_key(&attr.ino) {
            None
        } else {
            let index = u32::try_from(found.index).map_err(|_| Error::Stale)?;
            Some((attr.clone(), Location { parent, leaf: found.leaf, index }))
        };
        Ok(Target { ino: attr.ino, kind: attr.kind, frozen, hides_base: true })
    }

    /// Whether a directory has no names.
    pub fn is_empty_dir(&self, ino: Ino) -> Result<bool, Stop> {
        let Some(inode) = self.state.inodes.get(&ino) else {
            return match self.base_dir(ino)? {
                Some(base) => Ok(self.nodes.count(base)? == 0),
                None => Ok(true),
            };
        };
        let dir = inode.dir().ok_or(Error::NotDir)?;
        let shown = match dir.base {
            Some(base) => self.nodes.count(base)?.saturating_sub(dir.whiteouts),
            None => 0,
        };
        Ok(shown == 0 && !dir.has_added())
    }
}

/// A change in the making.
pub(super) struct Txn<'a> {
    pub view: View<'a>,
    pub caller: Caller,
    drafts: Vec<InodeRecord>,
    records: Vec<Record>,
    next_ino: Ino,
}

impl<'a> Txn<'a> {
    pub fn new(view: View<'a>, caller: Caller) -> Self {
        let next_ino = view.state.next_ino;
        Self { view, caller, drafts: Vec::new(), records: Vec::new(), next_ino }
    }

    pub fn now(&self) -> Timestamp {
        self.caller.now
    }

    /// The attributes of an inode as this change leaves it so far.
    pub fn attr(&self, ino: Ino) -> Result<Attr, Stop> {
        match self.drafts.iter().find(|draft| draft.attr.ino == ino) {
            Some(draft) => Ok(draft.attr.clone()),
            None => self.view.attr(ino),
        }
    }

    /// The draft of an inode, begun with what it is now.
    pub fn draft(&mut self, ino: Ino) -> Result<&mut InodeRecord, Stop> {
        if let Some(at) = self.drafts.iter().position(|draft| draft.attr.ino == ino) {
            return Ok(&mut self.drafts[at]);
        }
        let draft = match self.view.state.inodes.get(&ino) {
            Some(inode) => inode.record(),
            None => self.copy_up(ino)?,
        };
        self.drafts.push(draft);
        let last = self.drafts.len() - 1;
        Ok(&mut self.drafts[last])
    }

    /// The record that takes a frozen inode into the delta, after those of the directories above it.
    fn copy_up(&mut self, ino: Ino) -> Result<InodeRecord, Stop> {
        let (record, xattrs) = self.view.frozen(ino, |entry, parent| {
            let symlink = match &entry.body {
                Body::Symlink(target) => target.clone(),
                _ => Box::default(),
            };
            let origin = Origin::of(&entry.body, entry.attr.size);
            (InodeRecord { attr: entry.attr.clone(), parent, origin, symlink }, entry.xattrs.clone())
        })?;
        if record.parent != ROOT_INO {
            self.draft(record.parent)?;
        }
        for (name, value) in xattrs.iter().flat_map(|map| map.iter()) {
            self.records.push(Record::Xattr { ino, name: name.clone(), value: Some(value.clone()) });
        }
        Ok(record)
    }

    /// Makes an inode in a directory, with the group and set-gid bit that the directory hands down.
    pub fn create(&mut self, parent: Ino, name: &[u8], kind: Kind, perm: u16) -> Result<&mut InodeRecord, Stop> {
        let name = checked_name(name)?;
        let dir = self.attr(parent)?;
        if dir.kind != Kind::Dir {
            return Err(Error::NotDir.into());
        }
        if dir.nlink == 0 {
            return Err(Error::NotFound.into());
        }
        if self.view.target(parent, &name)?.is_some() {
            return Err(Error::Exists.into());
        }
        let ino = self.fresh_inode(parent, kind, perm)?;
        self.touch_dir(parent, if kind == Kind::Dir { 1 } else { 0 })?;
        self.records.push(Record::Link { parent, name, ino, kind });
        super::acl::inherit(self, parent, ino)?;
        self.draft(ino)
    }

    /// The draft of an inode that nothing names yet, owned by the caller; returns its number.
    pub fn fresh_inode(&mut self, parent: Ino, kind: Kind, perm: u16) -> Result<Ino, Stop> {
        let dir = self.attr(parent)?;
        let ino = self.next_ino;
        self.next_ino += 1;
        let mut attr = Attr::new(ino, kind, perm, self.caller.uid, self.caller.gid, self.now());
        if dir.perm & S_ISGID != 0 {
            attr.gid = dir.gid;
            if kind == Kind::Dir {
                attr.perm |= S_ISGID;
            }
        }
        self.drafts.push(InodeRecord { attr, parent, origin: Origin::New, symlink: Box::default() });
        Ok(ino)
    }

    /// Lets a name stand for an inode; `replaces` is what it stood for.
    pub fn link(
        &mut self,
        parent: Ino,
        name: &[u8],
        ino: Ino,
        kind: Kind,
        replaces: Option<&Target>,
    ) -> Result<(), Stop> {
        let name = checked_name(name)?;
        if replaces.is_some_and(|target| target.hides_base) {
            self.records.push(Record::Unlink { parent, name: name.clone() });
        }
        self.records.push(Record::Link { parent, name, ino, kind });
        Ok(())
    }

    /// Takes a name away. The directory is drafted, so that the record finds it in the delta.
    pub fn unlink(&mut self, parent: Ino, name: &[u8]) -> Result<(), Stop> {
        let name = checked_name(name)?;
        self.records.push(Record::Unlink { parent, name });
        Ok(())
    }

    /// The directory's content changed; its link count goes up or down with its subdirectories.
    pub fn touch_dir(&mut self, ino: Ino, subdirs: i32) -> Result<(), Stop> {
        let now = self.now();
        let attr = &mut self.draft(ino)?.attr;
        attr.mtime = now;
        attr.ctime = now;
        attr.nlink = attr.nlink.saturating_add_signed(subdirs);
        Ok(())
    }

    /// One name less for an inode; a directory has none left.
    pub fn drop_name(&mut self, ino: Ino) -> Result<(), Stop> {
        let now = self.now();
        let attr = &mut self.draft(ino)?.attr;
        attr.ctime = now;
        attr.nlink = if attr.kind == Kind::Dir { 0 } else { attr.nlink.saturating_sub(1) };
        Ok(())
    }

    /// Adds a record that speaks of a drafted inode.
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The batch: inodes first, then what speaks of them.
    pub fn finish(self) -> Vec<Record> {
        let inodes = self.drafts.into_iter().map(|draft| Record::Inode(Box::new(draft)));
        inodes.chain(self.records).collect()
    }
}

pub(super) const S_ISUID: u16 = 0o4000;
pub(super) const S_ISGID: u16 = 0o2000;
pub(super) const S_IXGRP: u16 = 0o0010;

/// The permission bits that stay when the caller, who has no privilege of that kind, changes a file or its owner
/// (`setattr_should_drop_suidgid` and `setattr_should_drop_sgid` in the kernel).
///
/// Set-gid without the group's execute bit is no privilege, but a mark that only members of the group may leave. Of the
/// caller's groups one is known, so a member by another one loses the mark too.
pub(super) fn without_privileges(attr: &Attr, caller: Caller) -> u16 {
    let perm = attr.perm & !S_ISUID;
    let is_member = caller.uid == 0 || caller.gid == attr.gid;
    if perm & S_IXGRP != 0 || !is_member { perm & !S_ISGID } else { perm }
}

fn checked_name(name: &[u8]) -> Result<Name, Stop> {
    Name::new(name).map_err(|error| match error {
        crate::model::NameError::TooLong => Error::NameTooLong.into(),
        crate::model::NameError::Reserved => Error::Exists.into(),
        crate::model::NameError::BadByte => Error::Invalid.into(),
    })
}
