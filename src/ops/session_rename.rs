//! Giving a session another name. Its mounts stay where they are.

use super::Context;
use super::error::Result;
use super::session_list::{SessionInfo, show};

/// Renames a session.
///
/// # Errors
/// It is not there, or the name is wrong or taken.
pub fn run(cx: &mut Context, key: &str, name: &str) -> Result<SessionInfo> {
    let session = cx.resolve_session(Some(key))?;
    cx.write(|tx| {
        // What was found may have changed until the transaction began.
        let session = tx.view().session(&session.id)?;
        Ok(tx.rename_session(&session, name)?)
    })?;
    show(cx, Some(&session.id))
}
