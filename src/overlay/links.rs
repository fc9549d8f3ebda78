//! Names of changed files in directories that are frozen.
//!
//! A changed file with more names than the delta's directories show has the others in frozen directories, which nothing
//! but a search of the base can find. That is rare: a hard link that came with the source. The base does not change but when
//! the session takes in another tree, so what was found once holds until then.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Body, DirRef, Ino};

use super::inode::DirData;
use super::{Error, Lower, LowerError, Snapshot, Upper};

/// What is known of such names.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Files whose names the base was searched for.
    searched: FxHashSet<Ino>,
    /// Frozen directories that hold one, and those above them.
    dirs: FxHashSet<Ino>,
    /// How often the session had taken in other trees then.
    rebased: u64,
}

impl Links {
    /// Frozen directories with a name of a changed file, and those above them.
    pub(super) fn dirs(&self) -> &FxHashSet<Ino> {
        &self.dirs
    }

    pub(super) fn into_dirs(self) -> FxHashSet<Ino> {
        self.dirs
    }

    /// Finds the names of those among `files` that have some in frozen directories.
    pub(super) fn follow<L: Lower, U: Upper>(
        &mut self,
        snapshot: &Snapshot<L, U>,
        mut files: Vec<Ino>,
    ) -> Result<(), Error> {
        let inodes = &snapshot.state.inodes;
        if self.rebased != snapshot.state.rebased {
            *self = Self { rebased: snapshot.state.rebased, ..Self::default() };
            files = inodes.keys().copied().collect();
        }
        let mut missing: FxHashMap<Ino, u32> = FxHashMap::default();
        let mut near: FxHashSet<Ino> = FxHashSet::default();
        for ino in files {
            let Some(inode) = inodes.get(&ino).filter(|_| !self.searched.contains(&ino)) else { continue };
            if !inode.is_unnamed() && inode.file().is_some_and(|file| file.base().is_some()) {
                missing.insert(ino, inode.nlink());
                near.insert(inode.parent);
            }
        }
        // Nearly every file has all its names in the directory that it is known to be in.
        let dir_of = |ino: &Ino| inodes.get(ino).and_then(|inode| inode.dir());
        for dir in near.iter().filter_map(dir_of) {
            count_names(snapshot, dir, &mut missing)?;
        }
        missing.retain(|_, left| *left > 0);
        if missing.is_empty() {
            return Ok(());
        }
        for inode in inodes.values().filter(|inode| !near.contains(&inode.ino())) {
            if let Some(dir) = inode.dir() {
                count_names(snapshot, dir, &mut missing)?;
            }
        }
        missing.retain(|_, left| *left > 0);
        if !missing.is_empty() {
            // What a directory of the delta stands on may have come with another tree than the root's.
            for inode in inodes.values() {
                if let Some(base) = inode.dir().and_then(|dir| dir.base) {
                    self.search(snapshot, base, &missing, &mut vec![inode.ino()])?;
                }
            }
            self.searched.extend(missing.keys());
        }
        Ok(())
    }

    fn search<L: Lower, U: Upper>(
        &mut self,
        snapshot: &Snapshot<L, U>,
        dir: DirRef,
        missing: &FxHashMap<Ino, u32>,
        above: &mut Vec<Ino>,
    ) -> Result<(), LowerError> {
        let mut below = Vec::new();
        let mut found = false;
        snapshot.each_frozen(dir.node, &mut |entry| match &entry.body {
            Body::Dir(_) if snapshot.state.inodes.contains_key(&entry.attr.ino) => {}
            Body::Dir(dir) => below.push((entry.attr.ino, *dir)),
            _ => found |= missing.contains_key(&entry.attr.ino),
        })?;
        if found {
            self.dirs.extend(above.iter().copied());
        }
        for (ino, dir) in below {
            above.push(ino);
            self.search(snapshot, dir, missing, above)?;
            above.pop();
        }
        Ok(())
    }
}

/// Takes the names that a directory of the delta shows off those that are missing.
fn count_names<L: Lower, U: Upper>(
    snapshot: &Snapshot<L, U>,
    dir: &DirData,
    missing: &mut FxHashMap<Ino, u32>,
) -> Result<(), LowerError> {
    let mut seen = |ino: Ino| {
        if let Some(left) = missing.get_mut(&ino) {
            *left = left.saturating_sub(1);
        }
    };
    if let Some(base) = dir.base {
        snapshot.each_frozen(base.node, &mut |entry| {
            if !dir.names.contains_key(&entry.name) {
                seen(entry.attr.ino);
            }
        })?;
    }
    for dentry in dir.names.values() {
        if let Some(link) = dentry.link() {
            seen(link.ino);
        }
    }
    Ok(())
}
