//! Writing what a session changed back to the directory that its source came from, or to another one.

use std::path::PathBuf;

use serde_json::json;

use crate::catalog::{Session, SourceKind};
use crate::model::{BytePath, ChangeKind};

use super::apply::{self, Applied, ApplyError, To};
use super::changes::Change;
use super::error::Result;
use super::gate::{self, Action, Work};
use super::hooks::{self, Occasion, Transition};
use super::lock;
use super::outcome::Outcome;
use super::{Context, mounts};

/// What to apply.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// The directory; the one that the source came from if not given.
    pub to: Option<PathBuf>,
    /// Only these paths, and what is below them.
    pub paths: Vec<BytePath>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The session.
    pub session: Session,
    /// The directory.
    pub target: PathBuf,
    /// What became of each path.
    pub applied: Applied,
    /// Whether this is only what would happen.
    pub is_dry: bool,
}

/// Writes the tracked changes of a session, mounted or not, to a directory. What was changed there since the import is
/// left alone, and is among the conflicts of the report.
///
/// # Errors
/// [`ApplyError`], what [`gate::pass`] says, or the session cannot be read.
pub fn run(cx: &mut Context, request: &Request) -> Result<Report> {
    let session = cx.resolve_session(request.session.as_deref())?;
    let target = target(cx, &session, request)?;
    let outcome = Outcome::of(cx, session.clone())?;
    let pass = gate::pass(cx, Action::Apply, Work::present(&session, Some(outcome.state)))?;
    let wanted: Vec<Change> =
        outcome.compared.changes.iter().filter(|change| is_wanted(change, &request.paths)).cloned().collect();
    pass.confirm(cx.catalog()?.view())?;
    let mut passed = None;
    if !request.dry_run {
        let details = json!({ "dir": target.to_string_lossy(), "change_set": outcome.change_set.to_string() });
        passed = Some(hooks::before(cx, Occasion::at(Transition::Apply, &session, outcome.state, details))?);
        pass.confirm(cx.catalog()?.view())?;
        let (actor, now, source) = (cx.actor.clone(), cx.now_ns, session.base.source.as_deref());
        lock::check(cx.catalog()?.view(), source, &actor, now, &lock::paths_of(&wanted))?;
    }
    let journal = apply::journal_file(&cx.paths.data, &session.id);
    let to = To { target: &target, journal: &journal, seed: &cx.seed.clone(), dry_run: request.dry_run };
    let applied = apply::run(&wanted, outcome.compared.sides(), &to)?;
    if !request.dry_run && !applied.done.is_empty() {
        let change_set = outcome.change_set.to_string();
        let counts = (applied.done.len() as u64, applied.conflicts.len() as u64);
        cx.write(|tx| Ok(tx.applied(&session, &target, &change_set, counts)?))?;
    }
    if let Some(passed) = passed {
        let (done, conflicts) = (applied.done.len(), applied.conflicts.len());
        let details = json!({ "dir": target.to_string_lossy(), "written": done, "conflicts": conflicts });
        passed.done_with(cx, details);
    }
    Ok(Report { session, target, applied, is_dry: request.dry_run })
}

/// A rename is wanted with either of its ends, and a new directory with what is in it.
fn is_wanted(change: &Change, paths: &[BytePath]) -> bool {
    let is_below = |at: &BytePath| paths.iter().any(|path| at.starts_with(path));
    let from = matches!(&change.kind, ChangeKind::Renamed { from } if is_below(from));
    let leads_there =
        change.kind == ChangeKind::Added && change.is_dir() && paths.iter().any(|path| path.starts_with(&change.path));
    paths.is_empty() || from || leads_there || is_below(&change.path)
}

fn target(cx: &mut Context, session: &Session, request: &Request) -> Result<PathBuf> {
    let target = match &request.to {
        Some(dir) => cx.cwd.as_ref().map_or_else(|| dir.clone(), |cwd| cwd.join(dir)),
        None => {
            let view = cx.catalog()?.view();
            let source = session.base.source.as_deref().map(|id| view.source_by_id(id)).transpose()?.flatten();
            let origin = source.filter(|source| source.kind == SourceKind::Dir).and_then(|source| source.origin);
            origin.ok_or_else(|| ApplyError::NoTarget { name: session.name.clone() })?
        }
    };
    let real = target.canonicalize().unwrap_or_else(|_| target.clone());
    match mounts::table()?.containing(&real).and_then(|entry| entry.tag()) {
        Some(_) => Err(ApplyError::Covered { path: target }.into()),
        None => Ok(target),
    }
}
