//! Puts what was decided about each file into one tree: two files at one path, directories where files are, directories
//! that come and go.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BytePath, Entry};

use super::Options;
use super::changes::SideChanges;
use super::conflict::{Conflict, ConflictKind, Version};
use super::dirs::Dirs;
use super::resolve::{Outcome, Resolved, collide};
use super::tree::{Three, Tree, Trees, same};

/// What turns ours into the merged tree, and where the sides do not agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What of ours is gone, or is elsewhere; what is in a directory before the directory. Taken first.
    pub removed: Vec<BytePath>,
    /// What comes or changes, in the order of the paths.
    pub placed: Vec<Placed>,
    /// In the order of their paths.
    pub conflicts: Vec<Conflict>,
}

/// Something that the merged tree has and ours has not, or not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it is to be.
    pub path: BytePath,
    /// What it is to be. If it is a directory, what is in it is not meant.
    pub entry: Entry,
    /// Where ours has it, be it here or elsewhere; `None` if it is new to ours, and its inode number means nothing there.
    pub was: Option<BytePath>,
    /// Its bytes, if they are in none of the three trees.
    pub text: Option<Vec<u8>>,
}

impl Merged {
    /// Whether both sides agree on everything.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.conflicts.is_empty()
    }

    /// Whether the merged tree is ours.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.removed.is_empty() && self.placed.is_empty() && self.conflicts.is_empty()
    }
}

/// The tree as it comes to be.
pub(super) struct Site<'v, 'a, T> {
    pub(super) view: &'v Three<Tree<'a, T>>,
    /// Where files are to be.
    pub(super) files: BTreeSet<BytePath>,
    /// What of ours is no longer where it was.
    pub(super) vacated: BTreeSet<BytePath>,
}

impl<T: Trees> Site<'_, '_, T> {
    /// Whether there is to be a file at a path.
    pub(super) fn has_file(&self, path: &BytePath) -> Result<bool, T::Error> {
        Ok(self.files.contains(path) || !self.vacated.contains(path) && self.view.ours.file(path)?.is_some())
    }

    /// The file that is in the way of a path: where a directory above it would have to be.
    pub(super) fn file_above(&self, path: &BytePath) -> Result<Option<BytePath>, T::Error> {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if self.has_file(&dir)? {
                return Ok(Some(dir));
            }
            above = dir.parent();
        }
        Ok(None)
    }

    /// Whether there is to be a file below a directory.
    pub(super) fn has_files_below(&self, dir: &BytePath) -> bool {
        let inside = dir.join(b"");
        let mut below = self.files.range(inside.clone()..);
        below.next().is_some_and(|path| path.as_bytes().starts_with(inside.as_bytes()))
    }
}

pub(super) fn place<T: Trees>(
    view: &Three<Tree<'_, T>>,
    ours: &SideChanges,
    theirs: &SideChanges,
    resolved: Vec<Resolved>,
    options: &Options,
) -> Result<Merged, T::Error> {
    let mut resolved = without_collisions(view, resolved, options)?;
    let dirs = Dirs::new(ours, theirs);
    let mut clashes: BTreeSet<BytePath> = BTreeSet::new();
    // What cannot be placed stays where ours has it, and may then be in the way of something else.
    let site = loop {
        let site = settle(view, &resolved);
        let mut is_settled = true;
        for one in &mut resolved {
            let Some(outcome) = &one.outcome else { continue };
            if one.ours.as_ref().is_some_and(|ours| ours.path == outcome.path) {
                continue;
            }
            let clash = match site.file_above(&outcome.path)? {
                Some(above) => Some(above),
                None => dirs.survives(&site, &outcome.path)?.then(|| outcome.path.clone()),
            };
            if let Some(clash) = clash {
                give_up(one, &clash, &mut clashes);
                is_settled = false;
            }
        }
        if is_settled {
            break site;
        }
    };
    let mut conflicts: Vec<Conflict> = resolved.iter().filter_map(conflict).collect();
    let mut merged = Merged { placed: resolved.iter().filter_map(placed).collect(), ..Merged::default() };
    dirs.place(&site, &mut merged, &mut clashes)?;
    for path in &clashes {
        if !conflicts.iter().any(|conflict| conflict.path == *path) {
            conflicts.push(clash(view, path)?);
        }
    }
    merged.removed.extend(site.vacated.iter().filter(|path| !site.files.contains(*path)).cloned());
    merged.removed.sort_unstable_by(|a, b| b.cmp(a));
    merged.placed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    merged.conflicts.append(&mut conflicts);
    merged.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(merged)
}

/// Joins files that were to go to one path.
fn without_collisions<T: Trees>(
    view: &Three<Tree<'_, T>>,
    resolved: Vec<Resolved>,
    options: &Options,
) -> Result<Vec<Resolved>, T::Error> {
    let mut at: BTreeMap<BytePath, Resolved> = BTreeMap::new();
    let mut gone = Vec::new();
    for one in resolved {
        let Some(path) = one.outcome.as_ref().map(|outcome| outcome.path.clone()) else {
            gone.push(one);
            continue;
        };
        let joined = match at.remove(&path) {
            None => one,
            Some(other) => {
                let is_there = |one: &Resolved| one.ours.as_ref().is_some_and(|ours| ours.path == path);
                let (first, second) = if is_there(&one) { (one, other) } else { (other, one) };
                collide(view.ours.trees(), first, second, options)?
            }
        };
        at.insert(path, joined);
    }
    gone.extend(at.into_values());
    Ok(gone)
}

fn settle<'v, 'a, T: Trees>(view: &'v Three<Tree<'a, T>>, resolved: &[Resolved]) -> Site<'v, 'a, T> {
    let mut site = Site { view, files: BTreeSet::new(), vacated: BTreeSet::new() };
    for one in resolved {
        let goal = one.outcome.as_ref().map(|outcome| &outcome.path);
        let was = one.ours.iter().map(|ours| &ours.path).chain(&one.replaces);
        site.vacated.extend(was.filter(|path| Some(*path) != goal).cloned());
        site.files.extend(goal.cloned());
    }
    site
}

/// Leaves a file where ours has it, or out, since at `clash` is what cannot be beside it.
fn give_up(one: &mut Resolved, clash: &BytePath, clashes: &mut BTreeSet<BytePath>) {
    clashes.insert(clash.clone());
    one.kinds.push(ConflictKind::DirectoryFile);
    one.kinds.sort_unstable();
    one.kinds.dedup();
    one.replaces.clear();
    one.outcome = one.ours.as_ref().map(|ours| Outcome {
        path: ours.path.clone(),
        entry: ours.entry.clone(),
        text: None,
        has_markers: false,
    });
}

fn conflict(one: &Resolved) -> Option<Conflict> {
    if one.kinds.is_empty() {
        return None;
    }
    let goal = one.outcome.as_ref().map(|outcome| &outcome.path);
    let known = [&one.ours, &one.theirs, &one.base].into_iter().flatten().map(|version| &version.path).next();
    Some(Conflict {
        path: goal.or(known)?.clone(),
        kinds: one.kinds.clone(),
        base: one.base.clone(),
        ours: one.ours.clone(),
        theirs: one.theirs.clone(),
        has_markers: one.outcome.as_ref().is_some_and(|outcome| outcome.has_markers),
    })
}

/// The conflict about a path where one side has a directory.
fn clash<T: Trees>(view: &Three<Tree<'_, T>>, path: &BytePath) -> Result<Conflict, T::Error> {
    let version = |tree: &Tree<'_, T>| Ok(tree.find(path)?.map(|entry| Version { path: path.clone(), entry }));
    Ok(Conflict {
        path: path.clone(),
        kinds: vec![ConflictKind::DirectoryFile],
        base: version(&view.base)?,
        ours: version(&view.ours)?,
        theirs: version(&view.theirs)?,
        has_markers: false,
    })
}

/// What there is to do for a file; `None` if nothing.
fn placed(one: &Resolved) -> Option<Placed> {
    let outcome = one.outcome.as_ref()?;
    let was = one.ours.as_ref();
    let is_unchanged = was.is_some_and(|was| was.path == outcome.path && same(&was.entry, &outcome.entry));
    if is_unchanged && outcome.text.is_none() {
        return None;
    }
    Some(Placed {
        path: outcome.path.clone(),
        entry: outcome.entry.clone(),
        was: was.map(|was| was.path.clone()),
        text: outcome.text.clone(),
    })
}
