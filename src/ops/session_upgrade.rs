//! Moving running mounts to another version of the program, under the feet of those who use them.

use std::ffi::OsStr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::control::Request;
use crate::daemon::{self, Failure, MountRecord, MountState, RunDir};

use super::error::Result;
use super::session_mount::{Mount, run_dir};
use super::session_unmount::find;
use super::{Context, Error};

/// How long the old process may take to make way, and the new one to serve.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked who serves.
const LOOK: Duration = Duration::from_millis(5);

/// Has the mounts that `keys` name served by the program `exe`; those of the current session if there are none.
///
/// # Errors
/// Nothing of that name is mounted; the mount cannot be taken over, or the program cannot serve it, and then the one
/// before goes on. The others are moved all the same.
pub fn run(cx: &mut Context, keys: &[impl AsRef<OsStr>], exe: &Path) -> Result<Vec<Mount>> {
    let run = run_dir(cx)?;
    let mut found = Vec::new();
    for key in keys {
        found.extend(find(cx, &run, Some(key.as_ref()))?);
    }
    if keys.is_empty() {
        found = find(cx, &run, None)?;
    }
    move_all(cx, &run, found, exe)
}

/// Has everything that is mounted from this data directory served by the program `exe`.
///
/// # Errors
/// As [`run`].
pub fn run_all(cx: &mut Context, exe: &Path) -> Result<Vec<Mount>> {
    let run = run_dir(cx)?;
    let mut found = daemon::mounts(&run)?;
    found.retain(|(record, state)| record.data_dir == cx.paths.data && *state != MountState::Dead);
    move_all(cx, &run, found, exe)
}

fn move_all(cx: &mut Context, run: &RunDir, found: Vec<(MountRecord, MountState)>, exe: &Path) -> Result<Vec<Mount>> {
    let moved: Vec<Result<MountRecord>> = found.into_iter().map(|(record, _)| upgrade(run, &record, exe)).collect();
    let moved = moved.into_iter().collect::<Result<Vec<_>>>()?;
    moved.into_iter().map(|record| shown(cx, record)).collect()
}

fn upgrade(run: &RunDir, record: &MountRecord, exe: &Path) -> Result<MountRecord> {
    let end = Instant::now() + LIMIT;
    let mut client = record.connect(run)?.within(LIMIT);
    match client.call(&Request::new("upgrade", json!(exe))) {
        // It ends without an answer.
        Err(failure) if failure.code != "control-unreachable" => return Err(failure.into()),
        _ => {}
    }
    loop {
        match record.again(run) {
            Some(now) if now.ready && now.process != record.process => return accepted(now),
            None => return Err(Failure::new("upgrade-failed", "nobody could take the mount over; it is gone").into()),
            _ if Instant::now() > end => {
                return Err(Failure::new("timeout", format!("the mount is not served after {LIMIT:?}")).into());
            }
            _ => thread::sleep(LOOK),
        }
    }
}

fn accepted(record: MountRecord) -> Result<MountRecord> {
    let Some(refused) = record.refused else { return Ok(record) };
    let message = format!("the mount goes on with the program it had, since the other one failed: {}", refused.message);
    let mut failure = Failure::new("upgrade-failed", message);
    failure.hints = refused.hints;
    Err(failure.into())
}

fn shown(cx: &mut Context, record: MountRecord) -> Result<Mount> {
    let session = match cx.catalog()?.view().session(&record.tag) {
        Ok(session) => Some(session.name),
        Err(crate::catalog::Error::NotFound { .. }) => None,
        Err(error) => return Err(Error::from(error)),
    };
    Ok(Mount {
        name: session.unwrap_or_else(|| record.tag.clone()),
        tag: record.tag,
        mount_point: record.mount_point,
        pid: record.process.pid,
        read_only: record.read_only,
    })
}
