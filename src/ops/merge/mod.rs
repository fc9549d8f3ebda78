//! Merging: what others did since they and a session parted comes into the session.

pub(super) mod build;
mod edit;
mod error;
mod hold;
mod lineage;
mod resolve;
mod trees;

use serde_json::json;

use crate::catalog::{ConflictRow, MergedFrom, NewMerge, Session, StoodOn, Tx};
use crate::model::merge::{ConflictStyle, Labels, Merged, Options, Placed, Three, merge};
use crate::model::{Body, BytePath, RootId, Timestamp};
use crate::store::tree::find_path;
use crate::store::{Hold, Store, StoreError};

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::gate::{self, Action, Pass, Work};
use super::hooks::{self, HookError, Occasion, Passed, Phase, Transition};
use super::live::LiveError;
use super::names::{self, Named};
use super::session_archive::refuse_archived;
use super::session_changes::scope;
use super::{Context, Error, blank, lock};

use build::Times;
pub use error::MergeError;
use hold::{Change, Held};
pub use resolve::{How, OpenMerge, Resolved, Side, Sides, abort, conflicts, resolve, sides};
use trees::{StoreTrees, root as root_of};

/// What to merge into what.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A session, a checkpoint, a commit or a revision.
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
    bring_in(cx, into, &from, Way { is_update: false, dry_run: request.dry_run, style: request.style, pass: None })
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
    bring_in(cx, into, &from, Way { is_update: true, dry_run: request.dry_run, style: request.style, pass: None })
}

struct Way {
    is_update: bool,
    dry_run: bool,
    style: ConflictStyle,
    /// That the work of another session may go; a source's own revisions always may.
    pass: Option<Pass>,
}

fn bring_in(cx: &mut Context, into: Session, from: &Named, mut way: Way) -> Result<Report> {
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
        Named::Commit(commit) => commit.root,
    };
    if way.dry_run {
        let ours = seal_session(cx, &into)?.root;
        let (_, merged) = compute(cx, &into, from, (ours, theirs), &way)?;
        return Ok(Report {
            session: into,
            from: from.name(),
            merged,
            is_update: way.is_update,
            is_dry: true,
            before: None,
        });
    }
    refuse_archived(&into)?;
    cx.catalog()?.view().refuse_frozen(&into)?;
    way.pass = pass(cx, from, theirs)?;
    let mut ahead = Ahead::look(cx, &hold, &into, (from, theirs), &way)?;
    let held = Held::take(cx, &into)?;
    let mut ours = held.seal(cx, &into)?;
    for _ in 0..ATTEMPTS {
        let (base, merged) = compute(cx, &into, from, (ours, theirs), &way)?;
        let built = build(cx, &hold, &into, from, Merging { base, ours, theirs, merged }, &way)?;
        if let Some(ahead) = &ahead {
            ahead.confirm(hold.store(), built.as_ref(), &into)?;
        }
        // A program may have written meanwhile, if it is mounted. Elsewhere it does not matter.
        let present = held.seal(cx, &into)?;
        let paths = built.as_ref().map_or(&[][..], |built| &built.paths);
        if is_same(hold.store(), (ours, present), paths)? {
            let report = finish(cx, held, into, from, built, &way)?;
            if let Some(passed) = ahead.take().and_then(|ahead| ahead.passed) {
                let details = json!({ "from": report.from, "conflicts": report.merged.conflicts.len() });
                passed.done_as(cx, Occasion::of(way.transition(), &report.session, details));
            }
            return Ok(report);
        }
        ours = present;
    }
    Err(LiveError::InUse { id: into.id }.into())
}

impl Way {
    fn transition(&self) -> Transition {
        if self.is_update { Transition::Update } else { Transition::Merge }
    }
}

/// What hooks saw of a merge, before anything was held.
struct Ahead {
    transition: Transition,
    /// What it would make of the session; `None`: nothing else than it is.
    target: Option<RootId>,
    passed: Option<Passed>,
}

impl Ahead {
    /// Merges for hooks to look at, if there are any.
    fn look(
        cx: &mut Context,
        hold: &Hold,
        into: &Session,
        (from, theirs): (&Named, RootId),
        way: &Way,
    ) -> Result<Option<Self>> {
        let transition = way.transition();
        if !hooks::any(cx, transition, into.base.source.as_deref())? {
            return Ok(None);
        }
        let ours = seal_session(cx, into)?.root;
        let (base, merged) = compute(cx, into, from, (ours, theirs), way)?;
        let details = json!({ "from": from.name(), "conflicts": merged.conflicts.len() });
        let built = build(cx, hold, into, from, Merging { base, ours, theirs, merged }, way)?;
        let target = built.map(|built| built.target);
        let before = |target| hooks::before(cx, Occasion::at(transition, into, target, details));
        Ok(Some(Self { transition, target, passed: target.map(before).transpose()? }))
    }

    /// Refuses a merge that is not the one that was looked at.
    fn confirm(&self, store: &Store, built: Option<&Built>, into: &Session) -> Result<()> {
        let Some(built) = built else { return Ok(()) };
        match (&self.passed, self.target) {
            (Some(passed), Some(seen)) => {
                passed.confirm(is_same(store, (seen, built.target), &built.paths)?, &into.name)
            }
            _ => {
                let hook = self.transition.hook(Phase::Before).unwrap_or_default();
                Err(HookError::Overtaken { hook, name: into.name.clone() }.into())
            }
        }
    }
}

/// Asks whether the work may go into another session.
fn pass(cx: &mut Context, from: &Named, theirs: RootId) -> Result<Option<Pass>> {
    let work = match from {
        Named::Session(session) => Work::present(session, Some(theirs)),
        Named::Checkpoint(session, _) => Work::earlier(session, theirs),
        Named::Commit(commit) => Work::committed(commit),
        Named::Revision(..) => return Ok(None),
    };
    gate::pass(cx, Action::Merge, work).map(Some)
}

/// How often a merge begins again because a program wrote into the session meanwhile.
const ATTEMPTS: usize = 5;

/// Whether two trees have the same at these paths; without any, everywhere.
fn is_same(store: &Store, (a, b): (RootId, RootId), paths: &[BytePath]) -> Result<bool> {
    if a == b || paths.is_empty() {
        return Ok(a == b);
    }
    for path in paths {
        let (left, right) = (find_path(store, a, path), find_path(store, b, path));
        let same = match (left.map_err(StoreError::from)?, right.map_err(StoreError::from)?) {
            (Some(left), Some(right)) => {
                let same_body = match (&left.body, &right.body) {
                    (Body::Dir(left), Body::Dir(right)) => left.content == right.content,
                    (left, right) => left == right,
                };
                same_body && (left.attr.perm, left.attr.size) == (right.attr.perm, right.attr.size)
            }
            (left, right) => left.is_none() && right.is_none(),
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is merged, and what comes of it.
struct Merging {
    base: RootId,
    ours: RootId,
    theirs: RootId,
    merged: Merged,
}

/// A merge that only has to take effect.
struct Built {
    sides: Merging,
    target: RootId,
    paths: Vec<BytePath>,
}

/// Stores the merged tree.
fn build(
    cx: &mut Context,
    hold: &Hold,
    into: &Session,
    from: &Named,
    sides: Merging,
    way: &Way,
) -> Result<Option<Built>> {
    let stands_already = into.base.revision == revision_of(from) && into.base.onto == Some(sides.theirs);
    if sides.merged.is_nothing() && (stands_already || sides.base == sides.theirs && !way.is_update) {
        return Ok(None);
    }
    let (store, writer) = (hold.store().clone(), hold.writer()?);
    let paths = touched(&sides.merged);
    // A session without changes of its own is then what a new one on that revision is, scratch included.
    let is_forward = way.is_update && sides.ours == sides.base;
    let target = match paths.is_empty() {
        _ if is_forward => sides.theirs,
        true => sides.ours,
        false => {
            let root = root_of(&store, sides.ours)?;
            writer.put_root(&build::build(
                &store,
                &writer,
                (sides.ours, &root),
                &sides.merged,
                (now(cx), Times::Now),
            )?)?
        }
    };
    writer.finish()?;
    Ok(Some(Built { sides, target, paths: if is_forward { Vec::new() } else { paths } }))
}

/// Gives the session what was built for it; `None`: it has all already.
fn finish(
    cx: &mut Context,
    held: Held,
    into: Session,
    from: &Named,
    built: Option<Built>,
    way: &Way,
) -> Result<Report> {
    let (is_update, from_name) = (way.is_update, from.name());
    let Some(Built { sides, target, paths }) = built else {
        let merged = Merged::default();
        return Ok(Report { session: into, from: from_name, merged, is_update, is_dry: false, before: None });
    };
    let noted = NewMerge {
        from: merged_from(from),
        theirs: sides.theirs,
        sides: (!sides.merged.is_clean()).then_some((sides.base, sides.ours)),
        update: is_update.then_some(StoodOn { onto: into.base.onto, revision: into.base.revision }),
    };
    let reason = if is_update { "update" } else { "merge" };
    let change = Change { present: sides.ours, target, paths: &paths, reason };
    if let Some(pass) = &way.pass {
        pass.confirm(cx.catalog()?.view())?;
    }
    // A newer revision of the source was agreed upon when it was made.
    if !is_update {
        let (source, actor, now) = (into.base.source.as_deref(), cx.actor.clone(), cx.now_ns);
        lock::check(cx.catalog()?.view(), source, &actor, now, &paths)?;
    }
    // What is mounted has changed by then.
    let late = way.pass.as_ref().filter(|_| !held.is_mounted());
    let before = held.settle(cx, &into, change, |tx| {
        if let Some(pass) = late {
            pass.confirm(tx.view())?;
        }
        note(tx, &into, &noted, &sides.merged, revision_of(from))
    })?;
    let session = cx.resolve_session(Some(&into.id))?;
    Ok(Report { session, from: from_name, merged: sides.merged, is_update, is_dry: false, before })
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

/// The time of the command, as trees have it.
pub(super) fn now(cx: &Context) -> Timestamp {
    let now = cx.now_ns;
    Timestamp::new(now.div_euclid(1_000_000_000), now.rem_euclid(1_000_000_000) as u32)
}

fn revision_of(from: &Named) -> Option<u64> {
    match from {
        Named::Revision(_, revision) => Some(revision.number),
        Named::Session(_) | Named::Checkpoint(..) | Named::Commit(_) => None,
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
        Named::Commit(commit) => {
            let (session, commit) = (Some(commit.session.clone()), Some(commit.id.clone()));
            MergedFrom { session, commit, name, ..MergedFrom::default() }
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
