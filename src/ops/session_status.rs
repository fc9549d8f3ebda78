//! Whether a session holds changes, told from the outside: without a mount and without reading its journal.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::Result;
use super::{Context, Error};

/// The directory of a session's delta. It comes to be when the session is first mounted.
#[must_use]
pub fn delta_dir(cx: &Context, session_id: &str) -> PathBuf {
    cx.paths.data.join("sessions").join(session_id)
}

/// Whether the session's delta has anything in it. A session that was mounted but not written may count as changed.
///
/// # Errors
/// [`Error::Io`] when the delta cannot be looked at.
pub fn has_changes(cx: &Context, session_id: &str) -> Result<bool> {
    let dir = delta_dir(cx, session_id);
    let at = |source| Error::Io { path: dir.clone(), source };
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(at)?,
    };
    for entry in entries {
        let entry = entry.map_err(at)?;
        if entry.file_name() != "lock" && entry.metadata().map_err(at)?.len() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
