//! Making a checkpoint, and what it stands on: a durable root of a session's present state.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::catalog::{Checkpoint, CheckpointKind, NewCheckpoint, Session, Tx};
use crate::daemon::control::Request as Order;
use crate::daemon::{Failure, MountRecord};
use crate::model::{ObjectId, RootId};
use crate::store::Hold;

use super::changes::{Scope, changes};
use super::error::Result;
use super::hooks::{self, Occasion, Transition};
use super::live::{self, LiveError};
use super::run_summary::Summary;
use super::session_mount::{live_mount, run_dir};
use super::states::StateView;
use super::{Context, Error, blank};

/// What to make.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// A name for the checkpoint.
    pub name: Option<String>,
    /// What to say of it.
    pub message: String,
    /// Only if something changed since the last one.
    pub if_changed: bool,
}

/// A session's state in the store.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its tree, which is durable.
    pub root: RootId,
    /// Keeps it from being collected until a row refers to it. None is needed for what the session's own row refers to.
    pub hold: Option<Hold>,
}

/// Makes a checkpoint of a session as it is now, mounted or not. `None`: nothing changed, and that was asked for.
///
/// # Errors
/// The session is not there or cannot be read, the name is wrong or taken, or the store cannot be written.
pub fn run(cx: &mut Context, request: &Request) -> Result<Option<(Session, Checkpoint)>> {
    let session = cx.resolve_session(request.session.as_deref())?;
    if let Some(name) = &request.name {
        // Before the seal, which may take long; the transaction looks again.
        cx.catalog()?.view().check_checkpoint_name(&session.id, name)?;
    }
    let _hold = cx.store()?.hold()?;
    let sealed = seal_session(cx, &session)?;
    if request.if_changed {
        let newest = cx.catalog()?.view().newest_checkpoint(&session.id)?;
        let before = newest.map(|checkpoint| checkpoint.root).or(session.parent_root).or(session.base.onto);
        if before == Some(sealed.root) {
            return Ok(None);
        }
    }
    let (name, message) = (request.name.clone(), request.message.clone());
    let totals = totals(cx, sealed.root)?;
    let details = json!({ "name": name, "message": message });
    let passed = hooks::before(cx, Occasion::at(Transition::Checkpoint, &session, sealed.root, details))?;
    let kind = CheckpointKind::Manual;
    let new = NewCheckpoint { root: sealed.root, totals, name, message, kind, reason: None };
    let checkpoint = record(cx, &session, &new)?;
    let details = json!({
        "checkpoint": checkpoint.id, "number": checkpoint.number, "name": new.name, "message": new.message,
    });
    passed.done_with(cx, details);
    Ok(Some((session, checkpoint)))
}

/// Makes an automatic checkpoint of a session, before something changes it: `reason` is a word for that.
///
/// # Errors
/// As [`run`].
pub fn automatic(cx: &mut Context, session: &Session, reason: &str) -> Result<Checkpoint> {
    automatic_with(cx, session, reason, |_| Ok(()))
}

/// As [`automatic`]; `also` is part of the same operation.
pub(super) fn automatic_with(
    cx: &mut Context,
    session: &Session,
    reason: &str,
    also: impl FnOnce(&mut Tx<'_>) -> Result<()>,
) -> Result<Checkpoint> {
    let _hold = cx.store()?.hold()?;
    let sealed = seal_session(cx, session)?;
    let new = automatic_of(cx, sealed.root, reason)?;
    record_with(cx, session, &new, also)
}

/// Makes an automatic checkpoint of a state that is durable. The caller holds the store.
pub(super) fn record_automatic(cx: &mut Context, session: &Session, root: RootId, reason: &str) -> Result<Checkpoint> {
    let new = automatic_of(cx, root, reason)?;
    record(cx, session, &new)
}

fn automatic_of(cx: &mut Context, root: RootId, reason: &str) -> Result<NewCheckpoint> {
    let totals = totals(cx, root)?;
    let (kind, reason) = (CheckpointKind::Auto, Some(reason.to_owned()));
    Ok(NewCheckpoint { root, totals, name: None, message: String::new(), kind, reason })
}

fn totals(cx: &mut Context, root: RootId) -> Result<crate::model::Totals> {
    Ok(cx.store()?.root(root).map_err(LiveError::from)?.totals)
}

fn record(cx: &mut Context, session: &Session, new: &NewCheckpoint) -> Result<Checkpoint> {
    record_with(cx, session, new, |_| Ok(()))
}

fn record_with(
    cx: &mut Context,
    session: &Session,
    new: &NewCheckpoint,
    also: impl FnOnce(&mut Tx<'_>) -> Result<()>,
) -> Result<Checkpoint> {
    // For the history only: a state before that cannot be read any more is no reason to make none now.
    let files = files_since(cx, session, new.root).ok().flatten();
    let id = cx.write(|tx| {
        let id = tx.create_checkpoint_with(&session.id, new, files.as_ref())?;
        also(tx)?;
        Ok(id)
    })?;
    Ok(cx.catalog()?.view().checkpoint_by_id(&id)?)
}

/// What changed since the checkpoint before, or since the session began; `None`: it began with nothing.
fn files_since(cx: &mut Context, session: &Session, root: RootId) -> Result<Option<Value>> {
    let newest = cx.catalog()?.view().newest_checkpoint(&session.id)?;
    let before = newest.map(|checkpoint| checkpoint.root).or(session.parent_root).or(session.base.onto);
    let Some(before) = before else { return Ok(None) };
    let (old, new) = (StateView::frozen(cx, before)?, StateView::frozen(cx, root)?);
    let changes = changes(&old, &new, &Scope::All).map_err(LiveError::from)?;
    Ok(Some(Summary::of(&changes).details()))
}

/// How long to wait for a session that changes hands, and how often to look.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);
pub(super) const LOOKS: usize = 500;

/// Stores a session's present state, whoever has it open, and returns its tree, which is durable then. What was
/// answered to a program before this was called is in it. The caller keeps the hold until a row refers to the tree.
///
/// # Errors
/// The session is busy for too long, it cannot be read, or the store cannot be written.
pub fn seal_session(cx: &mut Context, session: &Session) -> Result<Sealed> {
    let run = run_dir(cx)?;
    if let Some(sealed) = untouched(cx, &session.id)? {
        return Ok(sealed);
    }
    let hold = cx.store()?.hold()?;
    let mut look = 0;
    loop {
        let mounted = live_mount(cx, &run, &session.id)?;
        let sealed = match &mounted {
            Some(record) => seal_mounted(record.connect(&run).map_err(Error::from), record),
            None => seal_unmounted(cx, &session.id),
        };
        look += 1;
        match sealed {
            // It is being mounted or unmounted, or another command looks at it.
            Err(error) if look < LOOKS && matches!(error.code(), "session-in-use" | "control-unreachable") => {
                sleep(PATIENCE);
            }
            other => return other.map(|root| Sealed { root, hold: Some(hold) }),
        }
    }
}

fn seal_mounted(client: Result<crate::daemon::control::Client>, record: &MountRecord) -> Result<RootId> {
    let reply = client?.call(&Order::new("seal", json!({})))?;
    let root = reply.result.get("root").and_then(|root| root.as_str()).and_then(ObjectId::from_hex);
    let broken = || Failure::new("control-protocol", format!("process {} sent no root", record.process.pid));
    Ok(RootId(root.ok_or_else(broken)?))
}

fn seal_unmounted(cx: &mut Context, id: &str) -> Result<RootId> {
    let open = cx.open_session(id)?;
    let root = open.seal(|| ())?;
    // From now on the session stands on this tree, so that what is in it is never sealed again.
    if root != open.place.root && cx.fold_session(id, open.place.delta, root)? {
        open.retire()?;
    }
    Ok(root)
}

/// The tree of a session that has nothing beside it, if that can be told without opening the session.
fn untouched(cx: &mut Context, id: &str) -> Result<Option<Sealed>> {
    let before = cx.catalog()?.view().session(id)?;
    let dir = live::session_dir(&cx.paths.data, id);
    // The delta may have been folded, and so be gone, since the catalog named it.
    if live::has_files(&dir, before.delta) || cx.catalog()?.view().session(id)?.delta != before.delta {
        return Ok(None);
    }
    match before.base.root {
        Some(root) => Ok(Some(Sealed { root, hold: None })),
        None => {
            let store = cx.store()?;
            let hold = Some(store.hold()?);
            Ok(Some(Sealed { root: blank::base_of(store, &before)?.root, hold }))
        }
    }
}
