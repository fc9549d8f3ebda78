//! When a path changed: the revisions and checkpoints in which it is not what it was before.

use crate::catalog::{Checkpoint, Session};
use crate::model::{BytePath, ChangeKind};
use crate::overlay::{SnapshotBody, SnapshotDir, SnapshotEntry};

use super::changes::{Change, Scope, changes};
use super::error::Result;
use super::live::LiveError;
use super::names::Named;
use super::states::StateView;
use super::{Context, Error};

/// How a path differs from the state before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// It came to be.
    Added,
    /// It is something else, or what is in it is.
    Modified,
    /// It is gone.
    Deleted,
}

/// A state in which a path changed.
#[derive(Debug)]
pub struct Entry {
    /// The state.
    pub state: Named,
    /// How the path changed in it.
    pub change: PathChange,
}

/// Where a path of a session (the current one if none is named) changed, the newest state first. The session as it is
/// now counts as a state.
///
/// # Errors
/// The session is not there, a state cannot be read, or the path never was there.
pub fn run(cx: &mut Context, session: Option<&str>, path: &BytePath) -> Result<Vec<Entry>> {
    let session = cx.resolve_session(session)?;
    let mut log = Vec::new();
    let mut before: Option<(StateView, Option<SnapshotEntry>)> = None;
    for state in states(cx, &session)? {
        let view = StateView::open(cx, &state)?;
        let entry = view.find(path, false)?.map(|(_, entry)| entry);
        let change = match (before.as_ref().map(|(view, entry)| (view, entry.as_ref())), &entry) {
            (None | Some((_, None)), Some(_)) => Some(PathChange::Added),
            (Some((_, Some(_))), None) => Some(PathChange::Deleted),
            (Some((old, Some(a))), Some(b)) => differs(old, a, &view, b, path)?.then_some(PathChange::Modified),
            (None | Some((_, None)), None) => None,
        };
        if let Some(change) = change {
            log.push(Entry { state, change });
        }
        before = Some((view, entry));
    }
    if log.is_empty() {
        return Err(Error::NoPath { state: session.name, path: path.clone() });
    }
    log.reverse();
    Ok(log)
}

/// The states that led to a session's present one, the oldest first.
fn states(cx: &mut Context, session: &Session) -> Result<Vec<Named>> {
    let view = cx.catalog()?.view();
    let mut states = Vec::new();
    // From the youngest to the oldest: of each ancestor what came before the fork.
    let (mut at, mut upto): (Session, Option<(Option<u64>, i64)>) = (session.clone(), None);
    loop {
        let was_there = |checkpoint: &Checkpoint| match upto {
            Some((Some(number), _)) => checkpoint.number <= number,
            Some((None, forked_ns)) => checkpoint.created_ns <= forked_ns,
            None => true,
        };
        let own = view.checkpoints(&at.id)?.into_iter().filter(was_there);
        states.extend(own.map(|checkpoint| Named::Checkpoint(at.clone(), checkpoint)));
        upto = Some((at.parent_checkpoint, at.created_ns));
        match at.parent.as_deref().map(|parent| view.session(parent)) {
            Some(Ok(parent)) => at = parent,
            _ => break,
        }
    }
    if let (Some(id), Some(newest)) = (&session.base.source, session.base.revision)
        && let Some(source) = view.source_by_id(id)?
    {
        let revisions = view.revisions(id)?.into_iter().filter(|revision| revision.number <= newest);
        states.extend(revisions.map(|revision| Named::Revision(source.clone(), revision)));
    }
    states.reverse();
    states.push(Named::Session(session.clone()));
    Ok(states)
}

/// Whether a path that is in both states differs in kind, mode or content.
fn differs(old: &StateView, a: &SnapshotEntry, new: &StateView, b: &SnapshotEntry, path: &BytePath) -> Result<bool> {
    if a.attr.kind != b.attr.kind {
        return Ok(true);
    }
    match (&a.body, &b.body) {
        (SnapshotBody::Dir(SnapshotDir::Frozen(a)), SnapshotBody::Dir(SnapshotDir::Frozen(b))) => {
            Ok(a.content != b.content)
        }
        (SnapshotBody::File(Some(x)), SnapshotBody::File(Some(y))) if x == y && a.attr.size == b.attr.size => {
            Ok(a.attr.perm != b.attr.perm)
        }
        _ => {
            let found = changes(old, new, &Scope::All).map_err(LiveError::from)?;
            let is_here = |change: &Change| match &change.kind {
                ChangeKind::Renamed { from } if from.starts_with(path) => true,
                _ => change.path.starts_with(path),
            };
            Ok(found.iter().any(is_here))
        }
    }
}
