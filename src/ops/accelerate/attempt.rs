//! A command on an overlay over its session, from the mount below it to the last byte that is taken in.
//!
//! In this order: the lock that says that we wait for the command; the mount, which holds the session's lock; the directory
//! to write to, durably; the namespace with the overlay in it, and the command. When the command has ended, the mount is taken out of
//! the tree. Its process ends when nobody has the overlay any more, and takes in what was written. If we are killed on the
//! way, the next command that meets the session takes the mount out of the tree.

use std::path::Path;

use crate::catalog::Session;
use crate::disk::{Disk, File, Open, RealDisk};
use crate::fuse::MountOptions;
use crate::ops::error::Result;
use crate::ops::run_summary::{self, Summary};
use crate::ops::session_mount::{self, Request, Server, is_own, live_mount, run_dir};
use crate::ops::session_run::{Order, Outcome, Ran, code_after, ended};
use crate::ops::stop::Stop;
use crate::ops::{Context, Error, live, time};

use super::{RUNNING, UpperDir, end, is_accelerated};

/// What came of it.
#[derive(Debug)]
pub(in crate::ops) enum Attempt {
    /// The command was run.
    Ran(Ran),
    /// There is no overlay to be had, and why. Nothing was done.
    Refused(Option<String>),
}

/// Runs a command on an overlay over the session, in its own place or in that of `over`.
///
/// # Errors
/// Another such command changes the session; it cannot be mounted; what was changed cannot be taken in.
pub(in crate::ops) fn attempt(
    cx: &mut Context,
    session: &Session,
    over: Option<&Path>,
    order: &Order,
    server: &Server,
    stop: &Stop,
    told: &mut dyn FnMut(&str),
) -> Result<Attempt> {
    let refused = |why: String| Ok(Attempt::Refused(Some(why)));
    let run = run_dir(cx)?;
    if let Some(record) = live_mount(cx, &run, &session.id)? {
        return refused(format!("the session is mounted at `{}`", record.mount_point.display()));
    }
    if cx.catalog()?.view().freezing(&session.id)?.is_some() {
        return refused("the session must not change until it is decided about".into());
    }
    let dir = live::session_dir(&cx.paths.data, &session.id);
    let _running = lock(&dir, &session.id)?;
    // Not being able to look keeps nobody from running.
    let before = run_summary::look(cx, session).ok();
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    let request = Request { session: Some(session.id.clone()), options, accelerated: true, ..Request::default() };
    let mount = session_mount::run(cx, &request, server)?;

    // While it is mounted, nobody puts the session on another delta.
    let delta = cx.catalog()?.view().session(&session.id)?.delta;
    let upper = UpperDir::of(&dir, delta);
    let place = mount.mount_point.as_path();
    let (outcome, failure) = match upper.create(place) {
        Ok(()) => {
            let mut inside = order.inside(server, session);
            inside.arg("--changes").arg(upper.path()).args([place, over.unwrap_or(place)]);
            inside.arg("--").args(&order.command);
            let outcome = match stop.told() {
                Some(signal) => Outcome { code: code_after(signal) },
                None => ended(inside, stop, told),
            };
            (Some(outcome), upper.failure())
        }
        Err(error) => (None, Some(format!("`{}` cannot be prepared: {error}", upper.path().display()))),
    };
    let ended_ns = time::now_ns();
    if failure.is_some() {
        // There never was an overlay.
        super::remove_tree(upper.path()).map_err(|source| Error::Io { path: upper.path().into(), source })?;
    }
    let is_free = finish(cx, &session.id)?;
    let (Some(outcome), None) = (outcome, &failure) else { return Ok(Attempt::Refused(failure)) };
    if !is_free {
        told("something that the command left behind goes on; what was changed is taken in when that has ended");
        return Ok(Attempt::Ran(Ran { outcome, ended_ns, files: None }));
    }
    if upper.is_there() {
        // The mount process could not do it. This will say why, or do it.
        drop(cx.open_session(&session.id)?);
    }
    let after = run_summary::look(cx, session).ok();
    let files = before.zip(after).map(|(before, after)| Summary::between(&before, &after).details());
    Ok(Attempt::Ran(Ran { outcome, ended_ns, files }))
}

/// Says, for as long as it is held, that there is somebody who waits for the command.
fn lock(dir: &Path, id: &str) -> Result<File> {
    let path = dir.join(RUNNING);
    let failed = |source| Error::Io { path: path.clone(), source };
    RealDisk.create_dir(dir).map_err(failed)?;
    let file = RealDisk.open(&path, Open::CreateOrWrite).map_err(failed)?;
    match file.try_lock().map_err(failed)? {
        true => Ok(file),
        false => Err(Error::Accelerated { session: id.to_owned() }),
    }
}

/// Takes the mount away; says whether nobody has the overlay any more.
fn finish(cx: &mut Context, id: &str) -> Result<bool> {
    let run = run_dir(cx)?;
    let mounts = crate::daemon::mounts(&run)?;
    let own = mounts.iter().find(|(record, _)| record.tag == id && is_own(cx, record) && is_accelerated(record));
    let is_free = match own {
        Some((record, _)) => end(record)?,
        None => true,
    };
    crate::daemon::clean_stale(&run)?;
    Ok(is_free)
}
