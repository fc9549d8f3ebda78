//! Taking a mount and its process away, from another process.

use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::Signal;
use serde_json::Value;

use crate::fuse::{self, How, MountError, MountTable};

use super::control::Request;
use super::registry::MountRecord;
use super::{Failure, RunDir};

/// How long a keeper may take to end after its mount process.
const KEEPER_LIMIT: Duration = Duration::from_secs(1);

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
    if how == How::Lazy {
        return Ok(());
    }
    if record.process.wait_end(limit) {
        // It has nothing left to do.
        let _soon = record.keeper.as_ref().is_none_or(|keeper| keeper.wait_end(KEEPER_LIMIT));
        return Ok(());
    }
    let text = format!("process {} did not end within {limit:?} after its unmount", record.process.pid);
    Err(Failure::new("timeout", text)
        .hint(format!("see its log `{}`", record.log.display().to_string().escape_debug())))
}

/// Whether the process that serves a mount does not answer within this time. One that is at work for long does: it is
/// asked over its control socket, not over the mount.
#[must_use]
pub fn is_hung(run: &RunDir, record: &MountRecord, limit: Duration) -> bool {
    let asked = record.connect(run).and_then(|client| client.within(limit).call(&Request::new("ping", Value::Null)));
    asked.is_err() && record.is_alive()
}

/// Takes a mount away whose process does not answer: detaches it, kills the process and its keeper, and cleans up.
/// Everything that the process reported as done is in the session's delta.
///
/// # Errors
/// [`Failure`] when the mount cannot be detached, or the process does not die within `limit`.
pub fn kill(run: &RunDir, record: &MountRecord, limit: Duration) -> Result<(), Failure> {
    let end = Instant::now() + limit;
    let mut record = record.again(run).unwrap_or_else(|| record.clone());
    loop {
        kill_once(&record, end)?;
        match record.again(run).filter(MountRecord::is_alive) {
            // Another process was about to take over.
            Some(next) if Instant::now() < end => record = next,
            _ => break,
        }
    }
    if record.created_mount_point {
        let _kept_if_used = fs::remove_dir(&record.mount_point);
    }
    record.remove(run);
    Ok(())
}

fn kill_once(record: &MountRecord, end: Instant) -> Result<(), Failure> {
    let at = |error: io::Error| Failure::io(&record.mount_point, &error);
    let table = MountTable::read().map_err(at)?;
    // Each of the two would start the other anew. One that is stopped starts nobody and is not dead either.
    record.process.signal(Signal::STOP).map_err(at)?;
    if let Some(keeper) = &record.keeper {
        keeper.signal(Signal::KILL).map_err(at)?;
    }
    // The process before the mount: those who wait for it wake up with an error, and detaching cannot hang on it.
    record.process.signal(Signal::KILL).map_err(at)?;
    if let Some(entry) = record.entry(&table) {
        match fuse::unmount(entry, How::Lazy) {
            Err(MountError::NotMounted { .. }) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for process in std::iter::once(&record.process).chain(&record.keeper) {
        if !process.wait_end(end.saturating_duration_since(Instant::now())) {
            return Err(Failure::new("timeout", format!("process {} does not die", process.pid)));
        }
    }
    Ok(())
}
