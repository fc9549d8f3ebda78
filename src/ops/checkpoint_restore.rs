//! Making a session what it was: a checkpoint in whole, or in some paths.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;

use serde_json::json;

use crate::catalog::{Checkpoint, Session, Tx};
use crate::model::{BytePath, RootId};

use super::changes::{Change, Scope, changes, visible};
use super::checkpoint_create::{LOOKS, PATIENCE, automatic_with, record_automatic};
use super::error::Result;
use super::hooks::{self, Occasion, Transition};
use super::live::{LiveError, Outcome, SessionView, order};
use super::session_archive::refuse_archived;
use super::session_mount::{live_mount, run_dir};
use super::{Context, Error, mounts};

/// What to restore.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The checkpoint.
    pub checkpoint: String,
    /// Only these paths, as the user wrote them: below the working directory if that is in the session's mount.
    pub paths: Vec<OsString>,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The session.
    pub session: Session,
    /// What it was made.
    pub checkpoint: Checkpoint,
    /// What it was before.
    pub before: Checkpoint,
    /// Whether anything differed.
    pub changed: bool,
}

/// What would be restored.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The session.
    pub session: Session,
    /// What it would be made.
    pub checkpoint: Checkpoint,
    /// What would change, in the order of the paths.
    pub changes: Vec<Change>,
}

impl Planned {
    /// The changes that people want to see.
    #[must_use]
    pub fn visible(&self) -> Vec<&Change> {
        visible(&self.changes)
    }
}

/// Makes the session of a checkpoint what it was then, mounted or not. Its present state becomes a checkpoint first.
///
/// # Errors
/// The checkpoint is not there; a path is not in the tree; the session is mounted read-only, busy or damaged.
pub fn run(cx: &mut Context, request: &Request) -> Result<Restored> {
    let (session, checkpoint) = cx.resolve_checkpoint(&request.checkpoint)?;
    let paths = tree_paths(cx, &session, &request.paths)?;
    refuse_archived(&session)?;
    cx.catalog()?.view().refuse_frozen(&session)?;
    let named: Vec<String> = paths.iter().map(|path| path.as_path().display().to_string()).collect();
    let details = json!({ "checkpoint": checkpoint.id, "number": checkpoint.number, "paths": named });
    let passed = hooks::before(cx, Occasion::at(Transition::Restore, &session, checkpoint.root, details))?;
    let (before, changed) = to_root(cx, &session, checkpoint.root, &paths, "restore")?;
    passed.done(cx);
    Ok(Restored { session, checkpoint, before, changed })
}

/// Says what [`run`] would change, and changes nothing.
///
/// # Errors
/// As [`run`].
pub fn plan(cx: &mut Context, request: &Request) -> Result<Planned> {
    let (session, checkpoint) = cx.resolve_checkpoint(&request.checkpoint)?;
    let paths = tree_paths(cx, &session, &request.paths)?;
    let run = run_dir(cx)?;
    let store = Arc::new(cx.store()?.clone());
    let target = store.root(checkpoint.root).map_err(LiveError::from)?;
    let view = match live_mount(cx, &run, &session.id)? {
        Some(record) => SessionView::remote(&run, &record, store, target)?,
        None => SessionView::own(cx, &session.id, store, target)?,
    };
    let mut changes = changes(&view, &view.onto(), &Scope::All).map_err(LiveError::from)?;
    if !paths.is_empty() {
        changes.retain(|change| paths.iter().any(|path| change.path.starts_with(path)));
    }
    Ok(Planned { session, checkpoint, changes })
}

/// Makes a session a frozen tree, in whole or in some paths, and returns the checkpoint of what it was before. `reason`
/// is the word for why. The state before is recorded before anything changes; if a program changes something between the
/// two, the state that was really replaced becomes a checkpoint as well, and is the one returned.
///
/// # Errors
/// As [`run`].
pub fn to_root(
    cx: &mut Context,
    session: &Session,
    root: RootId,
    paths: &[BytePath],
    reason: &str,
) -> Result<(Checkpoint, bool)> {
    to_root_with(cx, session, root, paths, reason, |_| Ok(()))
}

/// As [`to_root`]; `also` is part of the operation that records the state before.
pub(super) fn to_root_with(
    cx: &mut Context,
    session: &Session,
    root: RootId,
    paths: &[BytePath],
    reason: &str,
    also: impl FnOnce(&mut Tx<'_>) -> Result<()>,
) -> Result<(Checkpoint, bool)> {
    refuse_archived(session)?;
    cx.catalog()?.view().refuse_frozen(session)?;
    let _hold = cx.store()?.hold()?;
    // Before the checkpoint, so that a tree which cannot be had leaves none behind.
    cx.store()?.root(root).map_err(LiveError::from)?;
    let before = automatic_with(cx, session, reason, |tx| {
        tx.pin_root(&session.id, root)?;
        let note = json!({ "kind": "restore", "session": session.id, "root": root.0.to_hex() });
        tx.note(&note)?;
        also(tx)
    })?;
    let run = run_dir(cx)?;
    let mut look = 0;
    loop {
        let switched = match live_mount(cx, &run, &session.id)? {
            Some(record) => record
                .connect(&run)
                .and_then(|mut client| client.call(&order(root, paths)))
                .map_err(Error::from)
                .and_then(|reply| Ok(Outcome::of(&reply)?)),
            None => switch_unmounted(cx, session, root, paths),
        };
        look += 1;
        match switched {
            // It is being mounted or unmounted, or another command looks at it.
            Err(error) if look < LOOKS && matches!(error.code(), "session-in-use" | "control-unreachable") => {
                sleep(PATIENCE);
            }
            other => {
                let done = other?;
                // A program changed something after the checkpoint was made: what was replaced is another state.
                let before = match done.replaced.filter(|root| *root != before.root) {
                    Some(root) => record_automatic(cx, session, root, reason)?,
                    None => before,
                };
                return Ok((before, done.changed));
            }
        }
    }
}

fn switch_unmounted(cx: &mut Context, session: &Session, root: RootId, paths: &[BytePath]) -> Result<Outcome> {
    let open = cx.open_session(&session.id)?;
    let done = open.switch(root, paths, &|_| Default::default(), |_| Ok::<(), Error>(()))?;
    open.close()?;
    Ok(done)
}

/// Paths of the tree from what a user wrote: in the session's mount as for any program, elsewhere from the tree's root.
pub(super) fn tree_paths(cx: &Context, session: &Session, paths: &[OsString]) -> Result<Vec<BytePath>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let table = mounts::table()?;
    let mounted = mounts::of_session(&table, &mounts::of_others(cx, &table)?, &session.id);
    let inside = |path: &Path| mounted.iter().find_map(|mount| path.strip_prefix(mount).ok().map(Path::to_owned));
    let here = cx.cwd.as_deref().and_then(inside).unwrap_or_default();
    let tree_path = |written: &OsString| {
        let written_path = Path::new(written);
        let path = match written_path.is_absolute() {
            true => inside(written_path),
            false => Some(here.join(written_path)),
        };
        let outside = || Error::OutsideTree { path: written.into() };
        let path = path.and_then(|path| plain(&path)).ok_or_else(outside)?;
        BytePath::parse(path.as_os_str().as_bytes()).map_err(|why| Error::BadPath { path: written.into(), why })
    };
    paths.iter().map(tree_path).collect()
}

/// The path without `.` and `..`; `None` if it leads out.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir if out.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(out)
}
