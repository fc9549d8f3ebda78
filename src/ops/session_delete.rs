//! Deleting a session.

use serde_json::json;

use crate::catalog::Session;

use super::error::Result;
use super::gate::{self, Action, Work};
use super::hooks::{self, Occasion, Transition};
use super::live::{self, LiveError};
use super::session_list::{SessionInfo, show};
use super::session_mount::{live_mount, run_dir};
use super::{Context, Error, reserve, session_changes, session_status};

/// Moves a session to the trash, with its files. Its name is free at once.
///
/// # Errors
/// [`Error::Mounted`]; [`Error::HasChanges`] unless `lose_changes`, if there are some that are not committed; or it is not
/// there.
pub fn run(cx: &mut Context, key: &str, lose_changes: bool) -> Result<SessionInfo> {
    let info = show(cx, Some(key))?;
    if let Some(at) = info.mounts.first() {
        return Err(Error::Mounted { name: info.session.name, at: at.clone() });
    }
    if !lose_changes && session_status::has_changes(cx, &info.session)? && !is_committed(cx, &info.session)? {
        return Err(Error::HasChanges { name: info.session.name });
    }
    to_trash(cx, &info.session)?;
    Ok(info)
}

/// Moves a session to the trash that nothing but a rule, somebody's word or a hook can keep from it.
///
/// # Errors
/// What [`gate::pass`] and [`hooks::before`] say.
pub(super) fn to_trash(cx: &mut Context, session: &Session) -> Result<()> {
    let pass = gate::pass(cx, Action::Delete, Work::present(session, None))?;
    let passed = hooks::before(cx, Occasion::of(Transition::Delete, session, json!({})))?;
    let _nobody_mounts_it = unmounted(cx, session)?;
    reserve::lend(&cx.paths.data);
    cx.write(|tx| {
        pass.confirm(tx.view())?;
        Ok(tx.delete_session(&tx.view().session(&session.id)?)?)
    })?;
    passed.done(cx);
    Ok(())
}

/// The lock of a session that is not mounted: nobody mounts it until it is dropped, and finds it in the trash then. Its files
/// are not looked at; they may be damaged.
///
/// # Errors
/// [`Error::Mounted`], or another command has it open all the time.
pub(super) fn unmounted(cx: &mut Context, session: &Session) -> Result<live::SessionLock> {
    let lock = live::SessionLock::take(&cx.paths.data, &session.id);
    if let Err(LiveError::InUse { .. }) = &lock
        && let Some(record) = live_mount(cx, &run_dir(cx)?, &session.id)?
    {
        return Err(Error::Mounted { name: session.name.clone(), at: record.mount_point });
    }
    Ok(lock?)
}

/// Whether the last commit of a session has all of its tracked changes.
fn is_committed(cx: &mut Context, session: &Session) -> Result<bool> {
    let newest = cx.catalog()?.view().commit_chain(session.head_commit.as_deref())?.into_iter().next();
    let Some(commit) = newest.filter(|commit| commit.base == session.base.onto) else { return Ok(false) };
    let request = session_changes::Request { session: Some(session.id.clone()), ..Default::default() };
    Ok(session_changes::run(cx, &request)?.compared.hash()? == commit.change_set)
}
