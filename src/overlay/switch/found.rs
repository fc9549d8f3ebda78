//! How a session and a frozen tree differ: what the comparison finds and the plan is made of.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Attr, Body, Entry, Ino, Kind, Name, Origin};
use crate::overlay::{SnapshotBody, SnapshotDir, SnapshotEntry};

/// A name and what it stands for, in the numbers of the tree that has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NameOf {
    pub dir: Ino,
    pub name: Name,
    pub ino: Ino,
}

/// An inode of the session.
#[derive(Clone, Debug)]
pub(super) struct LiveInode {
    pub entry: SnapshotEntry,
    /// The directory that it was found in.
    pub parent: Ino,
}

/// An inode of the target.
#[derive(Clone, Debug)]
pub(super) struct TargetInode {
    pub entry: Entry,
    /// The directory that it was found in.
    pub parent: Ino,
    /// How many of its names were found, in paths that are switched.
    pub names: u32,
    /// A directory that only leads to a path that is switched.
    pub leads: bool,
}

/// What differs.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Names of the session that stand for something else in the target, or for nothing; those in a directory come after
    /// its own.
    pub gone: Vec<NameOf>,
    /// Names of the target that stand for something else in the session, or for nothing.
    pub come: Vec<NameOf>,
    /// Names that stand for the same inode in both, which differs.
    pub same: Vec<NameOf>,
    /// The session's inodes that these names stand for.
    pub live: FxHashMap<Ino, LiveInode>,
    /// The target's inodes that these names stand for.
    pub target: FxHashMap<Ino, TargetInode>,
    /// The session's inodes that have a name outside of the switched paths which the target does not have so.
    pub kept: FxHashMap<Ino, LiveInode>,
    /// Directories of the target and those of the session that become them.
    pub pairs: FxHashMap<Ino, Ino>,
    /// The session's directories that are switched with all their names.
    pub inside: FxHashSet<Ino>,
    /// The session's directories on the way to all this.
    pub dirs: FxHashMap<Ino, LiveInode>,
}

impl Found {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.come.is_empty() && self.same.is_empty() && self.target.is_empty()
    }

    /// Files that are to have other bytes under the number that they have.
    pub fn rewritten(&self) -> impl Iterator<Item = Ino> + '_ {
        self.target.iter().filter_map(|(ino, target)| {
            let live = self.live.get(ino)?;
            let file = target.entry.attr.kind == Kind::File && same_file(&live.entry, &target.entry);
            (file && !same_content(&live.entry, &target.entry)).then_some(*ino)
        })
    }
}

/// Whether both are one file at two moments, and not two that got the same number.
pub(super) fn same_file(live: &SnapshotEntry, target: &Entry) -> bool {
    let (a, b) = (&live.attr, &target.attr);
    let same_body = match (&live.body, &target.body) {
        (SnapshotBody::Symlink(a), Body::Symlink(b)) => a == b,
        _ => a.rdev == b.rdev,
    };
    a.ino == b.ino && a.kind == b.kind && a.btime == b.btime && same_body
}

/// Whether two states of one file hold the same bytes. Each change of the bytes is one of the ctime, so a written file
/// whose attributes are all the same has not been written since.
pub(super) fn same_content(live: &SnapshotEntry, target: &Entry) -> bool {
    match (&live.body, &target.body) {
        (SnapshotBody::File(Some(a)), Body::File(b)) => a == b && live.attr.size == target.attr.size,
        (SnapshotBody::File(None), Body::File(_)) => live.attr == target.attr,
        _ => true,
    }
}

/// Whether two states of one inode are the same. The names in a directory are no part of it.
pub(super) fn same_inode(live: &SnapshotEntry, target: &Entry) -> bool {
    live.attr == target.attr && live.xattrs == target.xattrs && same_content(live, target)
}

/// As [`same_inode`], whatever the number of names.
pub(super) fn same_but_links(live: &SnapshotEntry, target: &Entry) -> bool {
    let (nlink, ctime) = (target.attr.nlink, target.attr.ctime);
    let attr = Attr { nlink, ctime, ..live.attr.clone() };
    let content = match (&live.body, &target.body) {
        // Without the ctime it cannot be told whether it was written.
        (SnapshotBody::File(None), Body::File(_)) => false,
        _ => same_content(live, target),
    };
    attr == target.attr && live.xattrs == target.xattrs && content
}

/// What of an inode of the session is frozen, for the record that takes it into the delta.
pub(super) fn origin_of(entry: &SnapshotEntry) -> (Origin, Box<[u8]>) {
    let origin = match &entry.body {
        SnapshotBody::File(Some(content)) => Origin::File { content: *content, len_bytes: entry.attr.size },
        SnapshotBody::Dir(SnapshotDir::Frozen(dir) | SnapshotDir::Changed { base: Some(dir), .. }) => Origin::Dir(*dir),
        _ => Origin::New,
    };
    let symlink = match &entry.body {
        SnapshotBody::Symlink(target) => target.clone(),
        _ => Box::default(),
    };
    (origin, symlink)
}
