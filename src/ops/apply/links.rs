//! Files with more than one name: what is one file in the session becomes one file in the target, too.
//!
//! A new file that has the number of another one becomes a second name of it, if both are to have the same mode and owner there. If
//! the other one is there already, because the session left it as it was or an apply before this one wrote it, it has to
//! have the content, mode and owner that are wanted; its own name is not touched. Where it cannot be, a file becomes a copy.

use std::collections::BTreeMap;

use crate::model::{BytePath, Ino};
use crate::ops::changes::{Sides, SnapshotEntry, TreeView};
use crate::ops::error::Result;
use crate::ops::live::LiveError;
use crate::overlay::SnapshotBody;

use super::place::{Place, Stamp};
use super::plan::{Step, holds_same, owner_of, perm};

/// What a new file becomes another name of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkTo {
    /// The new file of an earlier step.
    Step(usize),
    /// What is there at a path, as it was when it was looked at.
    There(BytePath, Stamp),
}

/// A file that is to be: its number in the session, and what it is to have.
type Wanted = (Ino, u16, (u32, u32));

/// Says for each step what its new file is another name of.
pub(super) fn find(place: &Place, steps: &mut [Step], sides: Sides<'_>) -> Result<()> {
    let mut groups: BTreeMap<Wanted, Vec<usize>> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let Some((wanted, _)) = wanted(step) {
            groups.entry(wanted).or_default().push(at);
        }
    }
    // Names beside those of the steps: how many there are is known, so the search ends with the last.
    let mut others: BTreeMap<Ino, u64> = BTreeMap::new();
    for ((ino, ..), members) in &groups {
        let all = members.first().and_then(|&at| wanted(&steps[at])).map_or(0, |(_, names)| names);
        let left = others.entry(*ino).or_insert(all);
        *left = left.saturating_sub(members.len() as u64);
    }
    others.retain(|_, names| *names > 0);
    let there = if others.is_empty() { Vec::new() } else { names_of(others, steps, sides.new)? };
    for (wanted, members) in groups {
        let mut first = None;
        for (path, entry) in there.iter().filter(|(_, entry)| entry.attr.ino == wanted.0) {
            first = stands(place, path, entry, wanted, sides.new)?;
            if first.is_some() {
                break;
            }
        }
        for at in members {
            match &first {
                Some(link) => steps[at].link = Some(link.clone()),
                None => first = Some(LinkTo::Step(at)),
            }
        }
    }
    Ok(())
}

/// What the file of a step is to be, and how many names it has in the session, if these are more than one.
fn wanted(step: &Step) -> Option<(Wanted, u64)> {
    let new = step.new.as_ref().filter(|_| !step.only_mode)?;
    let owner = step.owner().unwrap_or((new.attr.uid, new.attr.gid));
    let is_file = matches!(new.body, SnapshotBody::File(_));
    (is_file && new.attr.nlink > 1).then(|| ((new.attr.ino, new.attr.perm, owner), new.attr.nlink.into()))
}

/// The names of these files in a tree, but for those of steps.
fn names_of(
    mut others: BTreeMap<Ino, u64>,
    steps: &[Step],
    tree: &dyn TreeView,
) -> Result<Vec<(BytePath, SnapshotEntry)>> {
    let mut found = Vec::new();
    let root = tree.root().map_err(LiveError::from)?;
    let mut todo = vec![(BytePath::root(), root)];
    while let Some((path, SnapshotEntry { body: SnapshotBody::Dir(dir), .. })) = todo.pop() {
        for entry in tree.list(dir).map_err(LiveError::from)? {
            let path = path.join(&entry.name);
            match entry.body {
                SnapshotBody::Dir(_) => todo.push((path, entry)),
                SnapshotBody::File(_) if others.contains_key(&entry.attr.ino) => {
                    if steps.binary_search_by(|step| step.path.cmp(&path)).is_ok() {
                        continue;
                    }
                    if let Some(left) = others.get_mut(&entry.attr.ino) {
                        *left -= 1;
                    }
                    others.retain(|_, left| *left > 0);
                    found.push((path, entry));
                }
                _ => {}
            }
            if others.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// What is at a path, if it is what another name is wanted of.
fn stands(
    place: &Place,
    path: &BytePath,
    entry: &SnapshotEntry,
    (_, mode, owner): Wanted,
    view: &dyn TreeView,
) -> Result<Option<LinkTo>> {
    let Ok(Some(found)) = place.stat(path) else { return Ok(None) };
    let is_it = (perm(&found), owner_of(&found)) == (mode, owner) && holds_same(place, path, &found, entry, view)?;
    Ok(is_it.then(|| LinkTo::There(path.clone(), Stamp::of(&found))))
}
