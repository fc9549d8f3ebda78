//! Taking a mount and its process away, from another process.

use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::Signal;

use crate::fuse::{self, How, MountError, MountTable};

use super::registry::MountRecord;
use super::{Failure, RunDir};

/// Unmounts. A plain unmount then waits until the process has made everything durable and ended; a lazy one leaves it to
/// serve those who still hold the mount.
///
/// # Errors
/// [`Failure`]: `busy` with the holders as hints; `timeout` if the process does not end within `limit`.
pub fn unmount(record: &MountRecord, how: How, limit: Duration) -> Result<(), Failure> {
    let table = MountTable::read().map_err(|error| Failure::io(&record.mount_point, &error))?;
    match record.entry(&table) {
        Some(entry) => match fuse::unmount(entry, how) {
            Err(MountError::NotMounted { .. }) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        },
        // It is gone, or starting, or covered by someone else's mount, which is not ours to take away.
        None if record.process.is_alive() => {
            let stop = |error: io::Error| Failure::io(&record.mount_point, &error);
            record.process.signal(Signal::TERM).map_err(stop)?;
        }
        None => {}
    }
    if how == How::Lazy || record.process.wait_end(limit) {
        return Ok(());
    }
    let text = format!("process {} did not end within {limit:?} after its unmount", record.process.pid);
    Err(Failure::new("timeout", text)
        .hint(format!("see its log `{}`", record.log.display().to_string().escape_debug())))
}

/// Takes a mount away whose process does not answer: detaches it, kills the process and cleans up. Everything that the
/// process reported as done is in the session's delta.
///
/// # Errors
/// [`Failure`] when the mount cannot be detached, or the process does not die within `limit`.
pub fn kill(run: &RunDir, record: &MountRecord, limit: Duration) -> Result<(), Failure> {
    let at = |error: io::Error| Failure::io(&record.mount_point, &error);
    let end = Instant::now() + limit;
    let table = MountTable::read().map_err(at)?;
    // The process first: those who wait for it wake up with an error, and detaching cannot hang on it.
    record.process.signal(Signal::KILL).map_err(at)?;
    if let Some(entry) = record.entry(&table) {
        match fuse::unmount(entry, How::Lazy) {
            Err(MountError::NotMounted { .. }) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !record.process.wait_end(end.saturating_duration_since(Instant::now())) {
        return Err(Failure::new("timeout", format!("process {} does not die", record.process.pid)));
    }
    if record.created_mount_point {
        let _kept_if_used = fs::remove_dir(&record.mount_point);
    }
    record.remove(run);
    Ok(())
}
