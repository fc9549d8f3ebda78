//! Merging: what others did since they and a session parted comes into the session.

mod build;
mod edit;
mod error;
mod hold;
mod lineage;
mod resolve;
mod trees;

use serde_json::json;

use crate::catalog::{CheckpointKind, ConflictRow, MergedFrom, NewCheckpoint, NewMerge, Session, StoodOn, Tx};
use crate::model::merge::{ConflictStyle, Labels, Merged, Options, Placed, Three, merge};
use crate::model::{BytePath, Root, RootId, Timestamp};
use crate::store::StoreError;

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::names::{self, Named};
use super::session_changes::scope;
use super::{Context, Error, blank};

pub use error::MergeError;
use hold::Held;
pub use resolve::{How, OpenMerge, Resolved, Side, Sides, abort, conflicts, resolve, sides};
use trees::{StoreTrees, root as root_of};

/// What to merge into what.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A session, a checkpoint or a revision.
    pub from: String,
    /// The session; the current one if not given.
    pub into: Option<String>,
    /// Only say what would happen.
    pub dry_run: bool,
    /// What is written where texts conflict.
    pub style: ConflictStyle,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The session.
    pub session: Session,
    /// What was merged, by name.
    pub from: String,
    /// What changed in the session, or would.
    pub merged: Merged,
    /// Whether the session is to stand on what was merged from then on.
    pub is_update: bool,
    /// Whether this is only what would happen.
    pub is_dry: bool,
    /// The checkpoint that was made before; `None` if the session did not change.
    pub before: Option<u64>,
}

/// Merges.
///
/// # Errors
/// One of them is not there or cannot be read, the session is mounted or in conflict.
pub fn run(cx: &mut Context, request: &Request) -> Result<Report> {
    let into = cx.resolve_session(request.into.as_deref())?;
    let current = cx.current(&request.from)?;
    let from = names::resolve(cx.catalog()?.view(), &request.from, current.as_ref())?;
    bring_in(cx, into, &from, &Way { is_update: false, dry_run: request.dry_run, style: request.style })
}

/// Puts a session on a newer revision of its source, the newest if none is named: a merge, and then the session stands
/// on it.
///
/// # Errors
/// As [`run`]; [`MergeError::NoSource`] when it came from none.
pub fn update(cx: &mut Context, request: &Request) -> Result<Report> {
    let into = cx.resolve_session(request.into.as_deref())?;
    let view = cx.catalog()?.view();
    let source = into.base.source.as_deref().map(|id| view.source_by_id(id)).transpose()?.flatten();
    let source = source.ok_or_else(|| MergeError::NoSource { name: into.name.clone() })?;
    let number = match request.from.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Error::BadRevision { text: text.to_owned() })?),
    };
    let revision = view.revision(&source, number)?;
    if let Some(stands_on) = into.base.revision.filter(|on| *on > revision.number) {
        return Err(MergeError::OlderRevision { name: into.name, stands_on, wanted: revision.number }.into());
    }
    let from = Named::Revision(source, revision);
    bring_in(cx, into, &from, &Way { is_update: true, dry_run: request.dry_run, style: request.style })
}

struct Way {
    is_update: bool,
    dry_run: bool,
    style: ConflictStyle,
}

fn bring_in(cx: &mut Context, into: Session, from: &Named, way: &Way) -> Result<Report> {
    if matches!(from, Named::Session(session) if session.id == into.id) {
        return Err(MergeError::IntoItself { name: into.name }.into());
    }
    if cx.catalog()?.view().open_merge(&into.id)?.is_some() {
        return Err(MergeError::InConflict { name: into.name }.into());
    }
    let hold = cx.store()?.hold()?;
    let theirs = match from {
        Named::Session(session) => seal_session(cx, session)?.root,
        Named::Checkpoint(_, checkpoint) => checkpoint.root,
        Named::Revision(_, revision) => revision.root,
    };
    let held = if way.dry_run { None } else { Some(Held::take(cx, &into)?) };
    let ours = match &held {
        Some(held) => held.seal()?,
        None => seal_session(cx, &into)?.root,
    };
    let (base, merged) = compute(cx, &into, from, (ours, theirs), way)?;
    let is_dry = way.dry_run;
    let mut report =
        Report { session: into, from: from.name(), merged, is_update: way.is_update, is_dry, before: None };
    let Some(held) = held else { return Ok(report) };
    let into = &report.session;
    let stands_already = into.base.revision == revision_of(from) && into.base.onto == Some(theirs);
    if report.merged.is_nothing() && (stands_already || base == theirs && !way.is_update) {
        return Ok(report);
    }
    let store = hold.store().clone();
    let root = root_of(&store, ours)?;
    let writer = hold.writer()?;
    let paths = touched(&report.merged);
    // A session without changes of its own is then what a new one on that revision is, scratch included.
    let is_forward = way.is_update && ours == base;
    let target = match paths.is_empty() {
        _ if is_forward => theirs,
        true => ours,
        false => writer.put_root(&build::build(&store, &writer, (ours, &root), &report.merged, now(cx))?)?,
    };
    writer.finish()?;
    let noted = NewMerge {
        from: merged_from(from),
        theirs,
        sides: (!report.merged.is_clean()).then_some((base, ours)),
        update: way.is_update.then_some(StoodOn { onto: into.base.onto, revision: into.base.revision }),
    };
    let paths = if is_forward { Vec::new() } else { paths };
    report.before = held.settle(cx, into, target, &paths, |tx| {
        let before = (target != ours).then(|| checkpoint_before(tx, into, (ours, &root), way)).transpose()?;
        note(tx, into, &noted, &report.merged, revision_of(from))?;
        Ok(before)
    })?;
    let id = into.id.clone();
    report.session = cx.resolve_session(Some(&id))?;
    Ok(report)
}

/// Finds the base, and merges.
fn compute(
    cx: &mut Context,
    into: &Session,
    from: &Named,
    (ours, theirs): (RootId, RootId),
    way: &Way,
) -> Result<(RootId, Merged)> {
    let base = lineage::base(cx.catalog()?.view(), (into, ours), (from, theirs))?;
    let scope = scope(cx, false, into.base.source.as_deref())?;
    let store = cx.store()?.clone();
    let base = match base {
        Some(base) => base,
        None => blank::root(&store, into.created_ns)?,
    };
    let options = Options { style: way.style, labels: labels(into, from) };
    let dir = |id| root_of(&store, id).map(|root| root.dir);
    let roots = Three { base: dir(base)?, ours: dir(ours)?, theirs: dir(theirs)? };
    let merged = merge(&StoreTrees { store: &store, scope }, &roots, &options).map_err(StoreError::from)?;
    Ok((base, merged))
}

fn labels(into: &Session, from: &Named) -> Labels {
    Labels { ours: into.name.clone().into_bytes(), base: b"base".to_vec(), theirs: from.name().into_bytes() }
}

fn now(cx: &Context) -> Timestamp {
    let now = cx.now_ns;
    Timestamp::new(now.div_euclid(1_000_000_000), now.rem_euclid(1_000_000_000) as u32)
}

fn revision_of(from: &Named) -> Option<u64> {
    match from {
        Named::Revision(_, revision) => Some(revision.number),
        Named::Session(_) | Named::Checkpoint(..) => None,
    }
}

fn merged_from(from: &Named) -> MergedFrom {
    let name = from.name();
    match from {
        Named::Session(session) => MergedFrom { session: Some(session.id.clone()), name, ..MergedFrom::default() },
        Named::Checkpoint(session, checkpoint) => {
            let (session, number) = (Some(session.id.clone()), Some(checkpoint.number));
            MergedFrom { session, number, name, ..MergedFrom::default() }
        }
        Named::Revision(source, revision) => {
            let (source, number) = (Some(source.id.clone()), Some(revision.number));
            MergedFrom { source, number, name, ..MergedFrom::default() }
        }
    }
}

/// The paths in which a merge changes something.
fn touched(merged: &Merged) -> Vec<BytePath> {
    let mut paths: Vec<BytePath> =
        merged.removed.iter().chain(merged.placed.iter().map(|placed: &Placed| &placed.path)).cloned().collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The checkpoint of what a session held before.
fn checkpoint_before(tx: &mut Tx<'_>, into: &Session, (id, root): (RootId, &Root), way: &Way) -> Result<u64> {
    let reason = if way.is_update { "update" } else { "merge" };
    let (kind, reason) = (CheckpointKind::Auto, Some(reason.to_owned()));
    let (totals, message) = (root.totals, String::new());
    let new = NewCheckpoint { root: id, totals, name: None, message, kind, reason };
    let id = tx.create_checkpoint(&into.id, &new)?;
    let number = tx.view().checkpoint_by_id(&id)?.number;
    tx.note(&json!({ "kind": "restore", "session": into.id, "checkpoint": number }))?;
    Ok(number)
}

fn note(tx: &mut Tx<'_>, into: &Session, new: &NewMerge, merged: &Merged, revision: Option<u64>) -> Result<()> {
    let number = tx.create_merge(into, new)?;
    for conflict in &merged.conflicts {
        tx.create_conflict(into, number, &ConflictRow::from(conflict))?;
    }
    if new.update.is_some() {
        tx.stand_on(into, &StoodOn { onto: Some(new.theirs), revision })?;
    }
    Ok(())
}
