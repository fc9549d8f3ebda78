//! The files of a session that is not mounted: whether they hold changes, and how they go.

use std::path::PathBuf;

use crate::catalog::Session;

use super::accelerate::remove_tree;
use super::error::Result;
use super::{Context, Error, live};

/// The directory of a session. It comes to be when the session is first mounted.
#[must_use]
pub fn delta_dir(cx: &Context, session_id: &str) -> PathBuf {
    live::session_dir(&cx.paths.data, session_id)
}

/// Whether the session, which nobody has mounted, differs in anything from what it stands on, times included.
///
/// # Errors
/// The delta cannot be read, or somebody has it open.
pub fn has_changes(cx: &mut Context, session: &Session) -> Result<bool> {
    // A fork has from its parent what it began with.
    let began_with = if session.parent_root.is_some() { session.parent_root } else { session.base.onto };
    if session.base.root != began_with {
        return Ok(true);
    }
    if !live::has_files(&delta_dir(cx, &session.id), session.delta) {
        return Ok(false);
    }
    Ok(!cx.open_session_soon(&session.id)?.overlay.is_clean())
}

/// Removes the files of a session that is deleted.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_files(cx: &Context, session_id: &str) -> Result<()> {
    let dir = delta_dir(cx, session_id);
    remove_tree(&dir).map_err(|source| Error::Io { path: dir, source })
}
