//! When a path changed: the revisions, checkpoints and commits in which it is not what it was before.
//!
//! A commit is compared with the commit before it, or with what its session stood on: it has no scratch changes, so it is
//! no state between two checkpoints.

use crate::catalog::{Checkpoint, Session};
use crate::model::{BytePath, ChangeKind};
use crate::overlay::{SnapshotBody, SnapshotDir, SnapshotEntry};

use super::changes::{Change, Scope, changes};
use super::error::Result;
use super::live::LiveError;
use super::names::Named;
use super::session_changes;
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
        let old = before.as_ref().map(|(view, entry)| (view, entry.as_ref()));
        if let Some(change) = change(old, (&view, entry.as_ref()), path)? {
            log.push(Entry { state, change });
        }
        before = Some((view, entry));
    }
    for commit in commits(cx, &session, path)? {
        let is_before =
            |entry: &Entry| created_ns(&entry.state).is_some_and(|made_ns| Some(made_ns) <= created_ns(&commit.state));
        let at = log.iter().rposition(is_before).map_or(0, |last| last + 1);
        log.insert(at, commit);
    }
    if log.is_empty() {
        return Err(Error::NoPath { state: session.name, path: path.clone() });
    }
    log.reverse();
    Ok(log)
}

/// How a path changed from one state to the next.
fn change(
    old: Option<(&StateView, Option<&SnapshotEntry>)>,
    (view, entry): (&StateView, Option<&SnapshotEntry>),
    path: &BytePath,
) -> Result<Option<PathChange>> {
    Ok(match (old, entry) {
        (None | Some((_, None)), Some(_)) => Some(PathChange::Added),
        (Some((_, Some(_))), None) => Some(PathChange::Deleted),
        (Some((old, Some(a))), Some(b)) => differs(old, a, view, b, path)?.then_some(PathChange::Modified),
        (None | Some((_, None)), None) => None,
    })
}

/// The commits that led to a session's next one and in which the path changed, the oldest first.
fn commits(cx: &mut Context, session: &Session, path: &BytePath) -> Result<Vec<Entry>> {
    let chain = cx.catalog()?.view().commit_chain(session.head_commit.as_deref())?;
    let mut found = Vec::new();
    for commit in chain.into_iter().rev() {
        let base = session_changes::base_of(cx, &commit, false)?;
        if base == commit.root {
            continue;
        }
        let (old, new) = (StateView::frozen(cx, base)?, StateView::frozen(cx, commit.root)?);
        let at = |view: &StateView| Ok::<_, Error>(view.find(path, false)?.map(|(_, entry)| entry));
        let (before, after) = (at(&old)?, at(&new)?);
        if let Some(change) = change(Some((&old, before.as_ref())), (&new, after.as_ref()), path)? {
            found.push(Entry { state: Named::Commit(commit), change });
        }
    }
    Ok(found)
}

/// When a state was made; `None`: it is being made.
fn created_ns(state: &Named) -> Option<i64> {
    match state {
        Named::Session(_) => None,
        Named::Checkpoint(_, checkpoint) => Some(checkpoint.created_ns),
        Named::Commit(commit) => Some(commit.created_ns),
        Named::Revision(_, revision) => Some(revision.created_ns),
    }
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
