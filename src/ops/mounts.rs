//! Which sessions are mounted where, as the kernel says it.
//!
//! Nothing here touches a mount: a look at a dead one could hang.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::daemon::{self, RunDir};
use crate::fuse::MountTable;

use super::error::Result;
use super::session_mount::is_own;
use super::{Context, Error};

/// The kernel's mount table.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn table() -> Result<MountTable> {
    MountTable::read().map_err(|source| Error::Io { path: "/proc/self/mountinfo".into(), source })
}

/// Where a session is mounted; `foreign` is what [`of_others`] says.
#[must_use]
pub fn of_session(table: &MountTable, foreign: &[PathBuf], id: &str) -> Vec<PathBuf> {
    let own = table.ours().filter(|entry| entry.tag() == Some(id));
    own.map(|entry| entry.mount_point.clone()).filter(|at| !foreign.contains(at)).collect()
}

/// Where each session is mounted that is, by its id; `foreign` is what [`of_others`] says.
#[must_use]
pub fn by_session<'t>(table: &'t MountTable, foreign: &[PathBuf]) -> HashMap<&'t str, Vec<PathBuf>> {
    let mut all: HashMap<&str, Vec<PathBuf>> = HashMap::new();
    for entry in table.ours().filter(|entry| !foreign.contains(&entry.mount_point)) {
        if let Some(id) = entry.tag() {
            all.entry(id).or_default().push(entry.mount_point.clone());
        }
    }
    all
}

/// The mounts that are recorded as those of another data directory: a backup has sessions of the same ids.
///
/// # Errors
/// The records cannot be read.
pub fn of_others(cx: &Context, table: &MountTable) -> Result<Vec<PathBuf>> {
    // Looking makes no directories, and reads no records where nothing is mounted.
    if table.ours().next().is_none() || !cx.paths.runtime.is_dir() {
        return Ok(Vec::new());
    }
    Ok(daemon::places_of_others(&RunDir::open(&cx.paths.runtime)?, table, |found| is_own(cx, found))?)
}
