//! Where two trees parted: the newest state that both are known to have.
//!
//! A session has all states that it was in. A fork has the states of its parent up to when it was forked; a session has
//! the states of what was merged into it, up to then; and it has the revision that it stands on, and those before. Of
//! all that both sides have, the newest is the base of a merge.

use crate::catalog::{Commit, Session, View};
use crate::model::RootId;
use crate::ops::error::Result;
use crate::ops::names::Named;

/// What changes with time: a session or a source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Session(String),
    Source(String),
}

/// A state of a line. Whoever has it has all earlier ones.
#[derive(Clone, Debug)]
struct Moment {
    line: Line,
    at_ns: i64,
    root: RootId,
}

/// Lineages are not followed further than this.
const MAX_DEPTH: usize = 64;

/// The base for merging `theirs`, whose tree is the given one, into `ours`; `None` if they have nothing in common.
///
/// # Errors
/// What the catalog says.
pub(super) fn base(
    view: View<'_>,
    (ours, our_root): (&Session, RootId),
    (theirs, their_root): (&Named, RootId),
) -> Result<Option<RootId>> {
    let ours = had_by_session(view, ours, i64::MAX, our_root)?;
    let theirs = match theirs {
        Named::Session(session) => had_by_session(view, session, i64::MAX, their_root)?,
        Named::Checkpoint(session, checkpoint) => had_by_session(view, session, checkpoint.created_ns, their_root)?,
        Named::Commit(commit) => had_by_commit(view, commit)?,
        Named::Revision(source, revision) => {
            vec![Moment { line: Line::Source(source.id.clone()), at_ns: revision.created_ns, root: their_root }]
        }
    };
    let pairs = ours.iter().flat_map(|a| theirs.iter().map(move |b| (a, b))).filter(|(a, b)| a.line == b.line);
    let common = pairs.map(|(a, b)| if a.at_ns <= b.at_ns { a } else { b });
    Ok(common.max_by_key(|moment| moment.at_ns).map(|moment| moment.root))
}

/// What a session has that was as it is at some moment.
fn had_by_session(view: View<'_>, session: &Session, at_ns: i64, root: RootId) -> Result<Vec<Moment>> {
    let mut moments = vec![Moment { line: Line::Session(session.id.clone()), at_ns, root }];
    moments.extend(stood_on(view, session, at_ns)?);
    let (mut session, mut until) = (session.clone(), at_ns);
    for _ in 0..MAX_DEPTH {
        for merge in view.merges(&session.id)?.into_iter().filter(|merge| merge.created_ns < until) {
            let line = match (merge.from.session, merge.from.source) {
                (Some(id), _) => Line::Session(id),
                (None, Some(id)) => Line::Source(id),
                (None, None) => continue,
            };
            let commit = merge.from.commit.as_deref().map(|id| view.commit_even_deleted(id)).transpose()?.flatten();
            let at_ns = match commit {
                Some(commit) => commit.created_ns,
                None => merged_at(view, &line, merge.from.number, merge.created_ns)?,
            };
            moments.push(Moment { line, at_ns, root: merge.theirs });
        }
        let commit = session.from_commit.as_deref().map(|id| view.commit_even_deleted(id)).transpose()?.flatten();
        if let Some(commit) = &commit {
            // What the session has of the one that the commit was made in.
            let at_ns = commit.created_ns.min(until);
            moments.push(Moment { line: Line::Session(commit.session.clone()), at_ns, root: commit.root });
        }
        let (Some(parent), Some(root)) = (&session.parent, session.parent_root) else { break };
        let parent_session = view.session_even_deleted(parent)?;
        until = match &commit {
            Some(commit) if commit.session == *parent => commit.created_ns,
            _ => session.created_ns,
        };
        if let (Some(number), Some(parent)) = (session.parent_checkpoint, &parent_session) {
            let checkpoint = view.checkpoint(parent, &number.to_string());
            until = checkpoint.map_or(until, |checkpoint| checkpoint.created_ns);
        }
        moments.push(Moment { line: Line::Session(parent.clone()), at_ns: until, root });
        match parent_session {
            Some(parent) => session = parent,
            None => break,
        }
    }
    Ok(moments)
}

/// What a commit has: the states of its session up to then, as far as it is known, and what that stood on.
fn had_by_commit(view: View<'_>, commit: &Commit) -> Result<Vec<Moment>> {
    let mut moments = match view.session_even_deleted(&commit.session)? {
        Some(session) => had_by_session(view, &session, commit.created_ns, commit.root)?,
        None => {
            vec![Moment { line: Line::Session(commit.session.clone()), at_ns: commit.created_ns, root: commit.root }]
        }
    };
    if let (Some(source), Some(number), Some(root)) = (&commit.source, commit.revision, commit.base) {
        let at_ns = revision_at(view, source, number)?.unwrap_or(i64::MIN);
        moments.push(Moment { line: Line::Source(source.clone()), at_ns, root });
    }
    Ok(moments)
}

/// The moment of what was merged: that of the checkpoint or revision, or else of the merge itself.
fn merged_at(view: View<'_>, line: &Line, number: Option<u64>, merged_ns: i64) -> Result<i64> {
    let at_ns = match (line, number) {
        (Line::Session(id), Some(number)) => match view.session_even_deleted(id)? {
            Some(session) => view.checkpoint(&session, &number.to_string()).ok().map(|it| it.created_ns),
            None => None,
        },
        (Line::Source(id), Some(number)) => revision_at(view, id, number)?,
        (_, None) => None,
    };
    Ok(at_ns.unwrap_or(merged_ns))
}

/// The revision that a session stood on at some moment: an update since then has put it on a newer one.
fn stood_on(view: View<'_>, session: &Session, at_ns: i64) -> Result<Option<Moment>> {
    let Some(source) = &session.base.source else { return Ok(None) };
    let since = view.merges(&session.id)?.into_iter().find(|merge| merge.update.is_some() && merge.created_ns > at_ns);
    let (onto, revision) = match since.and_then(|merge| merge.update) {
        Some(before) => (before.onto, before.revision),
        None => (session.base.onto, session.base.revision),
    };
    let (Some(root), Some(number)) = (onto, revision) else { return Ok(None) };
    // A revision that was pruned is older than all that are left.
    let at_ns = revision_at(view, source, number)?.unwrap_or(i64::MIN);
    Ok(Some(Moment { line: Line::Source(source.clone()), at_ns, root }))
}

fn revision_at(view: View<'_>, source_id: &str, number: u64) -> Result<Option<i64>> {
    let Some(source) = view.source_by_id(source_id)? else { return Ok(None) };
    Ok(view.revision(&source, Some(number)).ok().map(|revision| revision.created_ns))
}
