//! The tree that tracked changes make of what a session stands on. Scratch is in it as the session found it.
//!
//! A file that was there keeps its number, a new one gets one of the tree; times are those that the session has, because
//! what was built in it is as old. A file with more than one name that changes under one becomes a file of its own there.

use crate::model::merge::{Merged, Placed};
use crate::model::{BytePath, ChangeKind, Entry, RootId, Timestamp};
use crate::ops::changes::Change;
use crate::ops::error::Result;
use crate::ops::merge::build::{self, Times};
use crate::store::tree::find_path;
use crate::store::{Hold, Store, StoreError};

/// Stores `onto` with the changes that lead from it to `state`.
///
/// # Errors
/// The store cannot be read or written.
pub(super) fn build(
    hold: &Hold,
    (onto, state): (RootId, RootId),
    changes: &[Change],
    now: Timestamp,
) -> Result<RootId> {
    if changes.is_empty() {
        return Ok(onto);
    }
    let (store, writer) = (hold.store().clone(), hold.writer()?);
    let merged = merged(&store, state, changes)?;
    let base = super::root(&store, onto)?;
    let root = build::build(&store, &writer, (onto, &base), &merged, (now, Times::Own))?;
    let root = writer.put_root(&root)?;
    writer.finish()?;
    Ok(root)
}

/// The changes, as what goes and what comes.
fn merged(store: &Store, state: RootId, changes: &[Change]) -> Result<Merged> {
    let mut merged = Merged::default();
    for change in changes {
        let path = &change.path;
        let was = match &change.kind {
            ChangeKind::Added => None,
            ChangeKind::Modified | ChangeKind::ModeChanged => Some(path.clone()),
            ChangeKind::Renamed { from } => {
                merged.removed.push(from.clone());
                Some(from.clone())
            }
            ChangeKind::TypeChanged => {
                merged.removed.push(path.clone());
                None
            }
            ChangeKind::Deleted => {
                merged.removed.push(path.clone());
                continue;
            }
        };
        if let Some(entry) = entry(store, state, path)? {
            merged.placed.push(Placed { path: path.clone(), entry, was, text: None });
        }
    }
    // What is in a directory goes before the directory.
    merged.removed.sort_unstable_by(|a, b| b.cmp(a));
    Ok(merged)
}

fn entry(store: &Store, state: RootId, path: &BytePath) -> Result<Option<Entry>> {
    Ok(find_path(store, state, path).map_err(StoreError::from)?)
}
