//! Finds directories that a side moved as a whole, so that what the other side adds to them can go along.
//!
//! A directory moved if it is gone and its inode is elsewhere; or else, if it is gone and more of its files went to one
//! directory than to any other. A file that kept its name and that of its directory speaks for the directories above,
//! too (git has it so: "directory rename detection" in its technical documents).

use std::collections::{BTreeMap, HashMap};

use crate::model::{BytePath, Ino, Timestamp};

use super::changes::SideChanges;

/// Fills in the directory renames of a side, whose file renames are known.
pub(super) fn find_dir_renames(side: &mut SideChanges) {
    let mut renames = BTreeMap::new();
    let came: HashMap<(Ino, Timestamp), &BytePath> = side
        .dirs
        .iter()
        .filter(|(_, pair)| pair.is_added())
        .filter_map(|(path, pair)| pair.side.as_ref().map(|entry| ((entry.attr.ino, entry.attr.btime), path)))
        .collect();
    let votes = votes(side);
    for (path, pair) in side.dirs.iter().filter(|(_, pair)| pair.is_deleted()) {
        let inode = pair.base.as_ref().map(|entry| (entry.attr.ino, entry.attr.btime));
        let to = match inode.and_then(|inode| came.get(&inode)) {
            Some(to) => Some((*to).clone()),
            None => votes.get(path).and_then(winner),
        };
        renames.extend(to.map(|to| (path.clone(), to)));
    }
    side.dir_renames = renames;
}

/// How many files speak for each move of a directory that is gone.
fn votes(side: &SideChanges) -> BTreeMap<BytePath, BTreeMap<BytePath, usize>> {
    let mut votes: BTreeMap<BytePath, BTreeMap<BytePath, usize>> = BTreeMap::new();
    let is_gone = |path: &BytePath| side.dirs.get(path).is_some_and(super::changes::Pair::is_deleted);
    for (from, to) in &side.renames {
        let (mut old, mut new) = (from.parent(), to.parent());
        while let (Some(a), Some(b)) = (&old, &new) {
            if a == b {
                break;
            }
            if is_gone(a) {
                *votes.entry(a.clone()).or_default().entry(b.clone()).or_default() += 1;
            }
            if a.file_name() != b.file_name() {
                break;
            }
            (old, new) = (a.parent(), b.parent());
        }
    }
    votes
}

/// The one with most votes, if it is one.
fn winner(votes: &BTreeMap<BytePath, usize>) -> Option<BytePath> {
    let most = votes.values().max()?;
    let mut best = votes.iter().filter(|(_, count)| *count == most);
    let (path, _) = best.next()?;
    best.next().is_none().then(|| path.clone())
}

/// Where a path that `adder` added goes, since `mover` moved the directory it is in; `None` if it stays.
pub(super) fn moved_along(path: &BytePath, mover: &SideChanges, adder: &SideChanges) -> Option<BytePath> {
    let mut dir = path.parent()?;
    while !dir.is_root() {
        if let Some(to) = mover.dir_renames.get(&dir) {
            // Both sides moved it, or the target: nobody can tell what is meant.
            if adder.dir_renames.contains_key(&dir) || adder.dir_renames.contains_key(to) {
                return None;
            }
            let rest = &path.as_bytes()[dir.as_bytes().len()..];
            return BytePath::parse(&[to.as_bytes(), rest].concat()).ok();
        }
        dir = dir.parent()?;
    }
    None
}
