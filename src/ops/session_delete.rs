//! Deleting a session.

use super::error::Result;
use super::gate::{self, Action, Work};
use super::session_list::{SessionInfo, show};
use super::{Context, Error, session_status};

/// Moves a session to the trash, with its files. Its name is free at once.
///
/// # Errors
/// [`Error::Mounted`]; [`Error::HasChanges`] unless `lose_changes`; or it is not there.
pub fn run(cx: &mut Context, key: &str, lose_changes: bool) -> Result<SessionInfo> {
    let info = show(cx, Some(key))?;
    if let Some(at) = info.mounts.first() {
        return Err(Error::Mounted { name: info.session.name, at: at.clone() });
    }
    if !lose_changes && session_status::has_changes(cx, &info.session)? {
        return Err(Error::HasChanges { name: info.session.name });
    }
    let pass = gate::pass(cx, Action::Delete, Work::present(&info.session, None))?;
    cx.write(|tx| {
        pass.confirm(tx.view())?;
        let session = tx.view().session(&info.session.id)?;
        Ok(tx.delete_session(&session)?)
    })?;
    Ok(info)
}
