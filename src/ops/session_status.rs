//! The files of a session that is not mounted: whether they hold changes, and how they go.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Session;
use crate::disk::{Disk, RealDisk};

use super::error::Result;
use super::live::{LiveError, SessionBase, open_session};
use super::{Context, Error, blank};

/// The directory of a session's delta. It comes to be when the session is first mounted.
#[must_use]
pub fn delta_dir(cx: &Context, session_id: &str) -> PathBuf {
    cx.paths.data.join("sessions").join(session_id)
}

/// Whether the session, which nobody has mounted, differs in anything from what it stands on, times included.
///
/// # Errors
/// The delta cannot be read, or somebody has it open.
pub fn has_changes(cx: &mut Context, session: &Session) -> Result<bool> {
    if !delta_dir(cx, &session.id).exists() {
        return Ok(false);
    }
    let store = Arc::new(cx.store()?.clone());
    let root = blank::base_of(&store, session)?;
    let base = || Ok::<_, LiveError>(SessionBase { root });
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let opened = open_session(&disk, &cx.paths.data, &session.id, store, base)?;
    Ok(!opened.overlay.is_clean())
}

/// Removes the files of a session that is deleted.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_files(cx: &Context, session_id: &str) -> Result<()> {
    let dir = delta_dir(cx, session_id);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Io { path: dir, source: error }),
        _ => Ok(()),
    }
}
