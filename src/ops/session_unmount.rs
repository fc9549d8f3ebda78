//! Unmounting, also what hangs or whose process is gone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::daemon::{self, MountRecord, MountState, RunDir};
use crate::fuse::How;

use super::error::Result;
use super::hooks::{self, Occasion, Passed, Transition};
use super::session_mount::{frozen_tag, is_own, run_dir};
use super::{Context, Error, accelerate, names};

/// How long the last sync of a mount process may take.
const END_LIMIT: Duration = Duration::from_secs(600);

/// How long a process that was killed may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How long a mount process may take to say that it is there, however busy it is.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// How to unmount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Refuse while somebody uses it.
    Plain,
    /// Take it out of the tree at once, and serve those who use it until they are done.
    Lazy,
    /// Kill the process that serves it.
    Force,
}

/// Unmounts what `key` names: a session, a mounted revision, or a mount point. Returns where it was mounted.
///
/// # Errors
/// Nothing of that name is mounted; somebody uses it (their processes are named); the process does not end.
pub fn run(cx: &mut Context, key: Option<&OsStr>, way: Way) -> Result<Vec<PathBuf>> {
    let run = run_dir(cx)?;
    let found = find(cx, &run, key)?;
    let places = found.into_iter().map(|found| tell_and_unmount(cx, &run, found, way)).collect::<Result<_>>()?;
    daemon::clean_stale(&run)?;
    Ok(places)
}

/// Unmounts all of them.
///
/// # Errors
/// As [`run`]; the others are unmounted all the same.
pub fn run_all(cx: &mut Context, way: Way) -> Result<Vec<PathBuf>> {
    let run = run_dir(cx)?;
    let ours = daemon::mounts(&run)?.into_iter().filter(|(record, _)| record.data_dir == cx.paths.data);
    let ours: Vec<_> = ours.collect();
    let results: Vec<_> = ours.into_iter().map(|found| tell_and_unmount(cx, &run, found, way)).collect();
    daemon::clean_stale(&run)?;
    results.into_iter().collect()
}

fn tell_and_unmount(cx: &mut Context, run: &RunDir, found: (MountRecord, MountState), way: Way) -> Result<PathBuf> {
    let passed = announced(cx, run, &found, way)?;
    let place = unmount(run, found, way)?;
    if let Some(passed) = passed {
        passed.done(cx);
    }
    Ok(place)
}

/// Tells hooks that a session is to be unmounted, if it can be waited for them.
fn announced(
    cx: &mut Context,
    run: &RunDir,
    (record, state): &(MountRecord, MountState),
    way: Way,
) -> Result<Option<Passed>> {
    if way != Way::Plain || *state != MountState::Live || !record.tag.starts_with("s-") || !is_own(cx, record) {
        return Ok(None);
    }
    // Without a catalog it can be unmounted all the same.
    let session = cx.catalog().ok().and_then(|catalog| catalog.view().session_even_deleted(&record.tag).ok()).flatten();
    let Some(session) = session else { return Ok(None) };
    let has_any = hooks::any(cx, Transition::Unmount, session.base.source.as_deref())?;
    if !has_any || daemon::is_hung(run, record, ANSWER_LIMIT) {
        return Ok(None);
    }
    let details = json!({ "mount": record.mount_point.to_string_lossy() });
    hooks::before(cx, Occasion::of(Transition::Unmount, &session, details)).map(Some)
}

fn unmount(run: &RunDir, (record, state): (MountRecord, MountState), way: Way) -> Result<PathBuf> {
    match (state, way) {
        (MountState::Dead, _) => {}
        (_, Way::Plain | Way::Lazy) if accelerate::is_accelerated(&record) => accelerate::end_orphan(&record)?,
        (_, Way::Force) => daemon::kill(run, &record, KILL_LIMIT)?,
        (_, Way::Lazy) => daemon::unmount(&record, How::Lazy, END_LIMIT)?,
        // Whoever uses a mount that hangs is not served anyway. All that it told them was done is in the delta.
        (MountState::Live | MountState::Detached, Way::Plain) if daemon::is_hung(run, &record, ANSWER_LIMIT) => {
            daemon::kill(run, &record, KILL_LIMIT)?;
        }
        (_, Way::Plain) => daemon::unmount(&record, How::Plain, END_LIMIT)?,
    }
    Ok(record.mount_point)
}

/// The mounts that `key` names; those of the current session if it names none.
pub(super) fn find(cx: &mut Context, run: &RunDir, key: Option<&OsStr>) -> Result<Vec<(MountRecord, MountState)>> {
    let mounts = daemon::mounts(run)?;
    if let Some(key) = key {
        let path = cx.cwd.as_ref().map_or_else(|| PathBuf::from(key), |cwd| cwd.join(key));
        let tag = match key.to_str().filter(|key| key.contains('@')) {
            Some(at) => names::resolve(cx.catalog()?.view(), at, None)
                .ok()
                .and_then(|named| frozen_tag(&named))
                .unwrap_or_else(|| at.to_owned()),
            None => key.to_string_lossy().into_owned(),
        };
        // A word without a slash is a name, whatever directory of that name there is.
        let is_path = key.as_bytes().contains(&b'/') || key == "." || key == "..";
        // A backup has sessions of the same ids.
        let is_named = |record: &MountRecord| {
            record.tag == tag && is_own(cx, record) || is_path && same_place(&record.mount_point, &path)
        };
        let named: Vec<_> = mounts.iter().filter(|(record, _)| is_named(record)).collect();
        if !named.is_empty() {
            return Ok(named.into_iter().cloned().collect());
        }
    }
    let session = cx.resolve_session(key.map(OsStr::to_string_lossy).as_deref())?;
    let found: Vec<_> =
        mounts.into_iter().filter(|(record, _)| record.tag == session.id && is_own(cx, record)).collect();
    if found.is_empty() {
        let name = session.name;
        let table = super::mounts::table()?;
        let foreign = super::mounts::of_others(cx, &table)?;
        return Err(match super::mounts::of_session(&table, &foreign, &session.id).pop() {
            Some(at) => Error::MountedElsewhere { name, at },
            None => Error::NotMounted { name },
        });
    }
    Ok(found)
}

/// Whether two paths are one, told without a look at a mount that may be dead.
fn same_place(mount_point: &Path, path: &Path) -> bool {
    let plain = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolved = plain
        .parent()
        .zip(plain.file_name())
        .and_then(|(parent, name)| std::fs::canonicalize(parent).ok().map(|parent| parent.join(name)));
    mount_point == plain || resolved.is_some_and(|resolved| mount_point == resolved)
}
