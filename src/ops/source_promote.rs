//! Promoting: what came of a session becomes the newest revision of its source, if nothing newer is in between.

use serde_json::json;

use crate::catalog::{NewRevision, Revision, Source};
use crate::model::RootId;

use super::Context;
use super::error::Result;
use super::gate::{self, Action, Pass, Work};
use super::hooks::{self, Occasion, State, Transition};
use super::lock;
use super::names::Named;
use super::outcome::{self, Outcome, OutcomeError};
use super::source_list::{SourceInfo, show};
use super::states;

/// What to promote.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The source.
    pub source: String,
    /// A session, or a commit.
    pub from: String,
    /// With all that a session holds, in place of scratch as the source has it.
    pub with_scratch: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Promoted {
    /// The source.
    pub info: SourceInfo,
    /// The session or commit, by name.
    pub from: String,
    /// Whether there is a new revision; else the newest has all of it.
    pub changed: bool,
}

/// What is to become a revision, and what it was made on.
struct Candidate {
    name: String,
    id: String,
    source: Option<String>,
    revision: Option<u64>,
    root: RootId,
    /// What hooks see: of a session all that it holds.
    seen: RootId,
    /// The session that it comes from, by id and name.
    session: Option<(String, String)>,
    pass: Pass,
    /// Keeps the tree until the row is there.
    _outcome: Option<Outcome>,
}

/// Makes a session's tracked changes, or a commit, the newest revision of its source. Sessions on older ones stay there.
///
/// # Errors
/// [`OutcomeError::Behind`] when the source has a newer revision than the one that was stood on; [`gate::pass`]; or it is
/// not there, is no session or commit of that source, or cannot be read.
pub fn run(cx: &mut Context, request: &Request) -> Result<Promoted> {
    let _hold = cx.store()?.hold()?;
    let source = cx.catalog()?.view().source(&request.source)?;
    let named = states::resolve(cx, &request.from)?;
    let candidate = candidate(cx, &named, request)?;
    let base = check(cx, &source, &candidate)?;
    let changed = candidate.root != base.root;
    if changed {
        let totals = outcome::root(cx.store()?, candidate.root)?.totals;
        let new = NewRevision {
            root: candidate.root,
            files: totals.files,
            dirs: totals.dirs,
            size_bytes: totals.size_bytes,
            duration_ns: 0,
            left_out: Vec::new(),
            // The origin is where it was, so that a refresh has nothing to do.
            origin_version: base.origin_version.clone(),
        };
        let paths = lock::paths_between(cx, base.root, candidate.root)?;
        let passed = hooks::before(cx, occasion(&source, &candidate, None))?;
        let (actor, now) = (cx.actor.clone(), cx.now_ns);
        let number = cx.write(|tx| {
            candidate.pass.confirm(tx.view())?;
            lock::check(tx.view(), Some(&source.id), &actor, now, &paths)?;
            let newest = tx.view().revision(&source, None)?.number;
            if newest != base.number {
                return Err(behind(&candidate, &source, newest));
            }
            let number = tx.create_revision(&source.id, &new)?;
            tx.promoted(&source.id, number, &candidate.id)?;
            Ok(number)
        })?;
        passed.done_as(cx, occasion(&source, &candidate, Some(number)));
    }
    Ok(Promoted { info: show(cx, &source.id)?, from: candidate.name, changed })
}

fn occasion(source: &Source, candidate: &Candidate, revision: Option<u64>) -> Occasion {
    Occasion {
        transition: Transition::Promote,
        session: candidate.session.clone(),
        source: Some(source.id.clone()),
        state: State::Tree(candidate.seen),
        details: json!({ "from": candidate.id, "name": candidate.name, "revision": revision }),
    }
}

fn candidate(cx: &mut Context, named: &Named, request: &Request) -> Result<Candidate> {
    match named {
        Named::Session(session) => {
            let outcome = Outcome::of(cx, session.clone())?;
            let pass = gate::pass(cx, Action::Promote, Work::present(session, Some(outcome.state)))?;
            let root = if request.with_scratch { outcome.state } else { outcome.tree(cx)? };
            Ok(Candidate {
                name: session.name.clone(),
                id: session.id.clone(),
                source: session.base.source.clone(),
                revision: session.base.revision,
                root,
                seen: outcome.state,
                session: Some((session.id.clone(), session.name.clone())),
                pass,
                _outcome: Some(outcome),
            })
        }
        Named::Commit(commit) if request.with_scratch => Err(OutcomeError::NoScratch { id: commit.id.clone() }.into()),
        Named::Commit(commit) => Ok(Candidate {
            name: commit.id.clone(),
            id: commit.id.clone(),
            source: commit.source.clone(),
            revision: commit.revision,
            root: commit.root,
            seen: commit.root,
            session: Some((commit.session.clone(), commit.session_name.clone())),
            pass: gate::pass(cx, Action::Promote, Work::committed(commit))?,
            _outcome: None,
        }),
        Named::Checkpoint(..) | Named::Revision(..) => {
            Err(OutcomeError::NoOutcome { text: request.from.clone() }.into())
        }
    }
}

/// The revision that the candidate was made on, which must be the newest of the source.
fn check(cx: &mut Context, source: &Source, candidate: &Candidate) -> Result<Revision> {
    if candidate.source.as_ref() != Some(&source.id) {
        let (name, source_name) = (candidate.name.clone(), source.name.clone());
        return Err(OutcomeError::OtherSource { name, source_name }.into());
    }
    let newest = cx.catalog()?.view().revision(source, None)?;
    match candidate.revision {
        Some(number) if number == newest.number => Ok(newest),
        _ => Err(behind(candidate, source, newest.number)),
    }
}

fn behind(candidate: &Candidate, source: &Source, newest: u64) -> super::Error {
    OutcomeError::Behind {
        name: candidate.name.clone(),
        source_name: source.name.clone(),
        stands_on: candidate.revision.unwrap_or(0),
        newest,
    }
    .into()
}
