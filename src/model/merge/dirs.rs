//! Directories: those that theirs made, removed, moved, or gave other permission bits.
//!
//! A directory goes when theirs removed it and nothing of ours is left in it. Two that were made at one path are one.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Attr, Body, BytePath, Entry, Kind};

use super::changes::{Pair, SideChanges};
use super::conflict::{Conflict, ConflictKind, Version};
use super::dir_rename::moved_along;
use super::place::{Merged, Placed, Site};
use super::tree::Trees;

pub(super) struct Dirs<'a> {
    ours: &'a SideChanges,
    theirs: &'a SideChanges,
    /// Where directories are to be that ours does not have there, with where they come from.
    wanted: BTreeMap<BytePath, (Entry, Option<BytePath>)>,
    /// Directories that go if nothing is left in them.
    unwanted: BTreeSet<BytePath>,
    /// About permission bits of directories that theirs moved.
    conflicts: Vec<Conflict>,
}

impl<'a> Dirs<'a> {
    pub(super) fn new(ours: &'a SideChanges, theirs: &'a SideChanges) -> Self {
        let (wanted, unwanted, conflicts) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let mut dirs = Self { ours, theirs, wanted, unwanted, conflicts };
        let from: BTreeMap<_, _> = theirs.dir_renames.iter().map(|(from, to)| (to, from)).collect();
        for (path, pair) in &theirs.dirs {
            match &pair.side {
                Some(entry) if pair.is_added() => {
                    let to = moved_along(path, ours, theirs).unwrap_or_else(|| path.clone());
                    let from = from.get(path).map(|from| (*from).clone());
                    let mut entry = entry.clone();
                    if let Some(changed) = from.as_ref().and_then(|from| ours.dirs.get(from)) {
                        dirs.merge_mode(&to, changed, &mut entry);
                    }
                    dirs.wanted.insert(to, (entry, from));
                }
                Some(_) => {}
                None => {
                    dirs.unwanted.insert(path.clone());
                }
            }
        }
        for (path, pair) in ours.dirs.iter().filter(|(_, pair)| pair.is_added()) {
            if let (Some(to), Some(entry)) = (moved_along(path, theirs, ours), &pair.side) {
                dirs.unwanted.insert(path.clone());
                dirs.wanted.entry(to).or_insert_with(|| (entry.clone(), Some(path.clone())));
            }
        }
        dirs
    }

    /// A directory that theirs moved keeps the permission bits that ours gave it meanwhile.
    fn merge_mode(&mut self, to: &BytePath, ours: &Pair, moved: &mut Entry) {
        let (Some(base), Some(side)) = (&ours.base, &ours.side) else { return };
        if base.attr.perm != moved.attr.perm && side.attr.perm != moved.attr.perm {
            self.conflicts.push(mode_conflict(to, base, side, moved));
        }
        moved.attr.perm = side.attr.perm;
    }

    /// Whether there is a directory of ours at a path and it is to stay.
    pub(super) fn survives<T: Trees>(&self, site: &Site<'_, '_, T>, path: &BytePath) -> Result<bool, T::Error> {
        let Some(entries) = site.view.ours.list(path)? else { return Ok(false) };
        if !self.unwanted.contains(path) || site.has_files_below(path) {
            return Ok(true);
        }
        for entry in entries.iter() {
            let inside = path.join(&entry.name);
            let is_left = match entry.attr.kind {
                Kind::Dir => self.survives(site, &inside)?,
                _ => !site.vacated.contains(&inside),
            };
            if is_left {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says what becomes of the directories, now that the files are where they are.
    pub(super) fn place<T: Trees>(
        mut self,
        site: &Site<'_, '_, T>,
        merged: &mut Merged,
        clashes: &mut BTreeSet<BytePath>,
    ) -> Result<(), T::Error> {
        self.want_parents(site, merged)?;
        for path in &self.unwanted {
            let is_wanted = self.wanted.contains_key(path) || self.has_wanted_below(path);
            if site.view.ours.dir(path)?.is_some() && !is_wanted && !self.survives(site, path)? {
                merged.removed.push(path.clone());
            }
        }
        let removed: BTreeSet<_> = merged.removed.iter().cloned().collect();
        for (path, (entry, from)) in &self.wanted {
            let in_the_way = match site.has_file(path)? {
                true => Some(path.clone()),
                false => site.file_above(path)?,
            };
            if let Some(in_the_way) = in_the_way {
                clashes.insert(in_the_way);
            } else if site.view.ours.dir(path)?.is_none() {
                let was = from.clone().filter(|from| removed.contains(from));
                merged.placed.push(Placed { path: path.clone(), entry: entry.clone(), was, text: None });
            }
        }
        merged.conflicts.append(&mut self.conflicts);
        self.change_modes(site, merged)
    }

    fn has_wanted_below(&self, path: &BytePath) -> bool {
        let inside = path.join(b"");
        let mut below = self.wanted.range(inside.clone()..);
        below.next().is_some_and(|(path, _)| path.as_bytes().starts_with(inside.as_bytes()))
    }

    /// What comes needs the directories above it, whoever removed those.
    fn want_parents<T: Trees>(&mut self, site: &Site<'_, '_, T>, merged: &Merged) -> Result<(), T::Error> {
        let dirs = self.wanted.iter().map(|(path, (entry, _))| (path.clone(), entry.clone()));
        let files = merged.placed.iter().map(|placed| (placed.path.clone(), placed.entry.clone()));
        for (path, entry) in files.chain(dirs).collect::<Vec<_>>() {
            let mut above = path.parent();
            while let Some(dir) = above.filter(|dir| !dir.is_root()) {
                if site.view.ours.dir(&dir)?.is_some() {
                    break;
                }
                if !self.wanted.contains_key(&dir) {
                    let known = match site.view.theirs.dir(&dir)? {
                        Some(entry) => Some(entry),
                        None => site.view.base.dir(&dir)?,
                    };
                    self.wanted.insert(dir.clone(), (known.unwrap_or_else(|| like(&entry)), None));
                }
                above = dir.parent();
            }
        }
        Ok(())
    }

    /// Permission bits that theirs gave to directories that ours still has.
    fn change_modes<T: Trees>(&self, site: &Site<'_, '_, T>, merged: &mut Merged) -> Result<(), T::Error> {
        for (path, pair) in &self.theirs.dirs {
            let (Some(base), Some(theirs)) = (&pair.base, &pair.side) else { continue };
            let path = self.ours.dir_renames.get(path).unwrap_or(path);
            let Some(ours) = site.view.ours.dir(path)? else { continue };
            if ours.attr.perm == base.attr.perm {
                let mut entry = ours.clone();
                entry.attr.perm = theirs.attr.perm;
                merged.placed.push(Placed { path: path.clone(), entry, was: Some(path.clone()), text: None });
            } else if ours.attr.perm != theirs.attr.perm {
                merged.conflicts.push(mode_conflict(path, base, &ours, theirs));
            }
        }
        Ok(())
    }
}

/// The conflict about the permission bits of a directory.
fn mode_conflict(path: &BytePath, base: &Entry, ours: &Entry, theirs: &Entry) -> Conflict {
    let version = |entry: &Entry| Some(Version { path: path.clone(), entry: entry.clone() });
    Conflict {
        path: path.clone(),
        kinds: vec![ConflictKind::Mode],
        base: version(base),
        ours: version(ours),
        theirs: version(theirs),
        has_markers: false,
    }
}

/// A directory that nobody has, for a file that needs it.
fn like(file: &Entry) -> Entry {
    let attr = &file.attr;
    let attr = Attr::new(attr.ino, Kind::Dir, 0o755, attr.uid, attr.gid, attr.mtime);
    let nothing = crate::model::ObjectId([0; 32]);
    let dir = crate::model::DirRef { node: crate::model::NodeId(nothing), content: crate::model::ContentHash(nothing) };
    Entry { name: file.name.clone(), attr, body: Body::Dir(dir), xattrs: None }
}
