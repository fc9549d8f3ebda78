//! The end of a mount below an overlay.

use std::time::Duration;

use crate::daemon::MountRecord;
use crate::fuse::{How, MountError, unmount};
use crate::ops::error::Result;
use crate::ops::live::{What, session_dir};
use crate::ops::run_place::PATIENCE;
use crate::ops::{Error, mounts};

use super::UpperDir;

/// How long taking in may take.
const TAKING_LIMIT: Duration = Duration::from_secs(600);

/// How long a keeper may take to end after its mount process.
const KEEPER_LIMIT: Duration = Duration::from_secs(1);

/// Whether a mount is one below an overlay.
pub(in crate::ops) fn is_accelerated(record: &MountRecord) -> bool {
    let what = serde_json::from_value(record.what.clone());
    matches!(what, Ok(What::Session { accelerated: true, .. }))
}

/// Takes such a mount out of the tree, which those who have the overlay do not notice. Says whether nobody has it any more,
/// and what was written is taken in; then its process has ended.
///
/// # Errors
/// The mount cannot be taken away.
pub(in crate::ops) fn end(record: &MountRecord) -> Result<bool> {
    let table = mounts::table()?;
    if let Some(entry) = record.entry(&table) {
        match unmount(entry, How::Lazy) {
            Ok(()) | Err(MountError::NotMounted { .. }) => {}
            Err(error) => return Err(crate::daemon::Failure::from(error).into()),
        }
    }
    let dir = session_dir(&record.data_dir, &record.tag);
    let mut has_ended = false;
    for patience in PATIENCE {
        has_ended = has_ended || record.process.wait_end(patience);
    }
    if !has_ended && UpperDir::is_being_taken(&dir) {
        has_ended = record.process.wait_end(TAKING_LIMIT);
    }
    if has_ended {
        // It has nothing left to do.
        let _soon = record.keeper.as_ref().is_none_or(|keeper| keeper.wait_end(KEEPER_LIMIT));
    }
    Ok(has_ended)
}

/// Ends a mount below an overlay whose command nobody waits for any more.
///
/// # Errors
/// [`Error::Accelerated`] when somebody does, or when something still has the overlay.
pub(in crate::ops) fn end_orphan(record: &MountRecord) -> Result<()> {
    let busy = || Error::Accelerated { session: record.tag.clone() };
    if is_awaited(record)? || !end(record)? {
        return Err(busy());
    }
    Ok(())
}

fn is_awaited(record: &MountRecord) -> Result<bool> {
    use crate::disk::{Disk, Open, RealDisk};
    let path = session_dir(&record.data_dir, &record.tag).join(super::RUNNING);
    let failed = |source| Error::Io { path: path.clone(), source };
    match RealDisk.open(&path, Open::Write) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        other => Ok(!other.map_err(failed)?.try_lock().map_err(failed)?),
    }
}
