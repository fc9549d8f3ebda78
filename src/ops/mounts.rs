//! Which sessions are mounted where, as the kernel says it.
//!
//! Nothing here touches a mount: a look at a dead one could hang.

use std::path::PathBuf;

use crate::fuse::MountTable;

use super::Error;
use super::error::Result;

/// The kernel's mount table.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn table() -> Result<MountTable> {
    MountTable::read().map_err(|source| Error::Io { path: "/proc/self/mountinfo".into(), source })
}

/// Where a session is mounted.
#[must_use]
pub fn of_session(table: &MountTable, id: &str) -> Vec<PathBuf> {
    let own = table.ours().filter(|entry| entry.tag() == Some(id));
    own.map(|entry| entry.mount_point.clone()).collect()
}
