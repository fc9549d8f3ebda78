//! Putting a session away, and taking it back: archived, it is a frozen tree and a row, without live files.

use serde_json::json;

use crate::catalog::{Session, Status};

use super::error::Result;
use super::hooks::{self, Occasion, Transition};
use super::session_list::{SessionInfo, show};
use super::session_mount::{live_mount, run_dir};
use super::session_unmount::{self, Way};
use super::{Context, Error, session_status};

/// Archives a session: unmounts it, stores its state, and drops its live files. One that is archived stays so.
///
/// # Errors
/// It is not there, somebody uses its mount, or it cannot be stored.
pub fn archive(cx: &mut Context, key: Option<&str>) -> Result<SessionInfo> {
    let session = cx.resolve_session(key)?;
    if session.status != Status::Archived {
        let passed = hooks::before(cx, Occasion::of(Transition::Archive, &session, json!({})))?;
        if live_mount(cx, &run_dir(cx)?, &session.id)?.is_some() {
            session_unmount::run(cx, Some(session.id.as_ref()), Way::Plain)?;
        }
        put_away(cx, &session.id, |cx| {
            cx.write(|tx| {
                let session = tx.view().session(&session.id)?;
                Ok(tx.set_session_status(&session, Status::Archived)?)
            })
        })?;
        passed.done(cx);
    }
    show(cx, Some(&session.id))
}

/// Stores the state of a session that nobody has open, runs `commit`, and removes the live files. The session's lock is
/// held all the time, so that nobody mounts it in between; who comes after it finds what `commit` did.
pub(super) fn put_away(cx: &mut Context, id: &str, commit: impl FnOnce(&mut Context) -> Result<()>) -> Result<()> {
    let _hold = cx.store()?.hold()?;
    let open = cx.open_session_soon(id)?;
    let root = open.seal(|| ())?;
    // Also when nothing changed: a blank session gets a base of its own.
    if !cx.fold_session(id, open.place.delta, root)? {
        return Err(Error::Live(super::live::LiveError::InUse { id: id.to_owned() }));
    }
    commit(cx)?;
    session_status::remove_files(cx, id)
}

/// Takes a session back from the archive. An expiry that is over is forgotten.
///
/// # Errors
/// It is not there.
pub fn activate(cx: &mut Context, key: Option<&str>) -> Result<SessionInfo> {
    let session = cx.resolve_session(key)?;
    let is_archived = session.status == Status::Archived;
    let passed = is_archived.then(|| hooks::before(cx, Occasion::of(Transition::Activate, &session, json!({}))));
    let passed = passed.transpose()?;
    let now = cx.now_ns;
    cx.write(|tx| {
        let session = tx.view().session(&session.id)?;
        if session.status == Status::Archived {
            tx.set_session_status(&session, Status::Active)?;
            if session.expires_ns.is_some_and(|expires| expires <= now) {
                tx.set_session_expiry(&session, None)?;
            }
        }
        Ok(())
    })?;
    if let Some(passed) = passed {
        passed.done(cx);
    }
    show(cx, Some(&session.id))
}

/// Says when a session is to be archived by itself; `None`: never.
///
/// # Errors
/// It is not there.
pub fn expire(cx: &mut Context, key: Option<&str>, expires_ns: Option<i64>) -> Result<SessionInfo> {
    let session = cx.resolve_session(key)?;
    cx.write(|tx| {
        let session = tx.view().session(&session.id)?;
        if session.expires_ns != expires_ns {
            tx.set_session_expiry(&session, expires_ns)?;
        }
        Ok(())
    })?;
    show(cx, Some(&session.id))
}

/// Refuses a session that is archived.
///
/// # Errors
/// [`Error::Archived`].
pub fn refuse_archived(session: &Session) -> Result<()> {
    match session.status {
        Status::Archived => Err(Error::Archived { name: session.name.clone() }),
        _ => Ok(()),
    }
}
