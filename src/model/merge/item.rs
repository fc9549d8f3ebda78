//! Joins what both sides have of one file, whatever its path there.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::BytePath;

use super::changes::{Pair, SideChanges};
use super::conflict::Version;
use super::dir_rename::moved_along;
use super::tree::{Three, Tree, Trees};

/// What a side has of a file.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// What it has.
    pub(super) version: Version,
    /// Where that goes: to its path, unless the other side moved the directory.
    pub(super) goes_to: BytePath,
}

/// One file, in the base and on both sides.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) base: Option<Version>,
    pub(super) ours: Option<Held>,
    pub(super) theirs: Option<Held>,
}

impl Item {
    /// Where one side moved a file and the other put something of another kind in its place, that is another file: the
    /// first is gone there.
    fn without_replacement(self) -> Vec<Self> {
        let Self { base: Some(base), ours: Some(ours), theirs: Some(theirs) } = self else { return vec![self] };
        let is_moved = |held: &Held| held.version.path != base.path;
        let is_replaced = |held: &Held| held.version.entry.attr.kind != base.entry.attr.kind;
        if is_replaced(&ours) && is_moved(&theirs) && !is_moved(&ours) {
            let alone = Self { base: None, ours: Some(ours), theirs: None };
            vec![Self { base: Some(base), ours: None, theirs: Some(theirs) }, alone]
        } else if is_replaced(&theirs) && is_moved(&ours) && !is_moved(&theirs) {
            let alone = Self { base: None, ours: None, theirs: Some(theirs) };
            vec![Self { base: Some(base), ours: Some(ours), theirs: None }, alone]
        } else {
            vec![Self { base: Some(base), ours: Some(ours), theirs: Some(theirs) }]
        }
    }
}

/// Everything but directories that either side changed.
pub(super) fn items<T: Trees>(
    view: &Three<Tree<'_, T>>,
    ours: &SideChanges,
    theirs: &SideChanges,
) -> Result<Vec<Item>, T::Error> {
    let (mut our_along, mut their_along) = (Along::default(), Along::default());
    let mut items = Vec::new();
    for (path, base) in bases(ours, theirs) {
        let our_version = match changed(path, ours) {
            Some(version) => version,
            None => view.ours.file(path)?.map(|entry| Version { path: path.clone(), entry }),
        };
        // What theirs has at a path that is no change of theirs is none of our business.
        let unchanged = || base.base.clone().map(|entry| Version { path: path.clone(), entry });
        let their_version = changed(path, theirs).unwrap_or_else(unchanged);
        let held = |version: Option<Version>, goes_to: Option<BytePath>| {
            version.map(|version| Held { goes_to: goes_to.unwrap_or_else(|| version.path.clone()), version })
        };
        let moved =
            |version: &Option<Version>| version.as_ref().filter(|it| it.path != *path).map(|it| it.path.clone());
        let our_goal = moved(&our_version).map(|to| our_along.goal(&to, &view.ours, theirs, ours)).transpose()?;
        let their_goal =
            moved(&their_version).map(|to| their_along.goal(&to, &view.theirs, ours, theirs)).transpose()?;
        let base = base.base.clone().map(|entry| Version { path: path.clone(), entry });
        let item = Item { base, ours: held(our_version, our_goal), theirs: held(their_version, their_goal) };
        items.extend(item.without_replacement());
    }
    items.extend(added(view, (our_along, their_along), ours, theirs)?);
    Ok(items)
}

/// The files of the base that either side changed.
fn bases<'a>(ours: &'a SideChanges, theirs: &'a SideChanges) -> BTreeMap<&'a BytePath, &'a Pair> {
    ours.files.iter().chain(&theirs.files).filter(|(_, pair)| pair.base.is_some()).collect()
}

/// What a side made of a file of the base: it has it, there or elsewhere, or it deleted it; `None` if it is no change.
fn changed(path: &BytePath, side: &SideChanges) -> Option<Option<Version>> {
    let at = side.renames.get(path).unwrap_or(path);
    let pair = side.files.get(at)?;
    Some(pair.side.clone().map(|entry| Version { path: at.clone(), entry }))
}

/// Files that were not in the base: two of one path are one item.
fn added<T: Trees>(
    view: &Three<Tree<'_, T>>,
    (mut our_along, mut their_along): (Along, Along),
    ours: &SideChanges,
    theirs: &SideChanges,
) -> Result<Vec<Item>, T::Error> {
    let mut our_adds = BTreeMap::new();
    for version in new_files(ours) {
        our_adds.insert(our_along.goal(&version.path, &view.ours, theirs, ours)?, version);
    }
    let mut items = Vec::new();
    for version in new_files(theirs) {
        let goes_to = their_along.goal(&version.path, &view.theirs, ours, theirs)?;
        let our_version = match our_adds.remove(&goes_to) {
            Some(version) => Some(version),
            // It may be there, though it is no change of ours: scratch, to us.
            None if !ours.files.contains_key(&goes_to) => {
                view.ours.file(&goes_to)?.map(|entry| Version { path: goes_to.clone(), entry })
            }
            None => None,
        };
        let ours = our_version.map(|version| Held { version, goes_to: goes_to.clone() });
        items.push(Item { base: None, ours, theirs: Some(Held { version, goes_to }) });
    }
    let alone = |(goes_to, version)| Item { base: None, ours: Some(Held { version, goes_to }), theirs: None };
    items.extend(our_adds.into_iter().map(alone));
    Ok(items)
}

/// The files that a side added and did not move from elsewhere.
fn new_files(side: &SideChanges) -> Vec<Version> {
    let moved: BTreeSet<_> = side.renames.values().collect();
    let new = side.files.iter().filter(|(path, pair)| pair.is_added() && !moved.contains(path));
    new.filter_map(|(path, pair)| Some(Version { path: path.clone(), entry: pair.side.clone()? })).collect()
}

/// Moves what one side added along with the directories that the other side moved.
#[derive(Default)]
struct Along {
    /// The goals given so far.
    taken: BTreeSet<BytePath>,
}

impl Along {
    /// Where a path of `adder`, with this tree, goes. It stays where it is if that side has something else there.
    fn goal<T: Trees>(
        &mut self,
        path: &BytePath,
        tree: &Tree<'_, T>,
        mover: &SideChanges,
        adder: &SideChanges,
    ) -> Result<BytePath, T::Error> {
        match moved_along(path, mover, adder) {
            Some(goal) if tree.find(&goal)?.is_none() && self.taken.insert(goal.clone()) => Ok(goal),
            _ => Ok(path.clone()),
        }
    }
}
