//! Taking what happened in a plain directory back into a session.
//!
//! The directory is imported: of one that the session was written to, only files are read whose size, times or inode
//! number are not those that they were given then. What came of it is put in terms of the session's own inodes, and
//! compared by path with what was written and with what the session is now. What the directory changed is taken; where
//! the session changed the same path to something else meanwhile, nothing is taken at all unless that is forced.

mod renumber;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;

use crate::catalog::{Checkpoint, Session};
use crate::model::{BytePath, ChangeKind, RootId};
use crate::store::Store;

use super::changes::{Change, Frozen, Scope, changes, visible};
use super::checkpoint_create::seal_session;
use super::checkpoint_restore::to_root;
use super::error::Result;
use super::hooks::{self, Occasion, Transition};
use super::import::{ImportOptions, import_dir};
use super::live::LiveError;
use super::materialize::PlainError;
use super::source_import::Watch;
use super::{Context, Error, mounts};

use renumber::{Trees, renumber};

/// What to absorb.
#[derive(Clone, Debug)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// The directory.
    pub dir: PathBuf,
    /// Take the directory's side where both changed.
    pub force: bool,
    /// Only say what would change.
    pub dry_run: bool,
}

/// What was absorbed.
#[derive(Debug)]
pub struct Absorbed {
    /// The session.
    pub session: Session,
    /// What changed in it, in the order of the paths.
    pub changes: Vec<Change>,
    /// What it was before, unless nothing was done.
    pub before: Option<Checkpoint>,
    /// Files that were opened and read.
    pub files_read: u64,
    /// What was not taken, a line each.
    pub left_out: Vec<String>,
}

impl Absorbed {
    /// The changes that people want to see.
    #[must_use]
    pub fn visible(&self) -> Vec<&Change> {
        visible(&self.changes)
    }
}

/// Makes a session what a directory is, as far as the directory changed. The state before becomes a checkpoint.
///
/// # Errors
/// [`PlainError::BothChanged`]; the directory cannot be read; a hook refuses; or as [`to_root`].
pub fn run(cx: &mut Context, request: &Request, watch: Watch<'_>) -> Result<Absorbed> {
    let session = cx.resolve_session(request.session.as_deref())?;
    super::session_archive::refuse_archived(&session)?;
    let path = cx.cwd.as_ref().map_or_else(|| request.dir.clone(), |cwd| cwd.join(&request.dir));
    let dir = path.canonicalize().map_err(|source| Error::Io { path, source })?;
    let hold = cx.store()?.hold()?;
    let written = cx.catalog()?.view().materialization(&session.id, &dir)?;
    let ours = seal_session(cx, &session)?.root;
    let store = cx.store()?.clone();

    let options = ImportOptions {
        everything: true,
        data_dirs: vec![cx.paths.data.clone()],
        mounts: mounts::table()?.ours().map(|entry| entry.mount_point.clone()).collect(),
        ..ImportOptions::default()
    };
    let footprint = written.as_ref().map(|written| written.footprint);
    let imported = import_dir(&hold, &dir, footprint, &options, watch.progress, watch.cancel)?;
    let trees = Trees { theirs: imported.root, footprint, written: written.as_ref().map(|it| it.root), ours };
    let writer = hold.writer()?;
    let theirs = renumber(&store, &writer, &trees)?;
    writer.finish()?;

    let plan = plan(&store, trees.written.unwrap_or(ours), ours, theirs, request.force)?;
    let left_out =
        imported.left_out.iter().map(|left| format!("`{}`: {}", left.path.as_bytes().escape_ascii(), left.why));
    let mut absorbed = Absorbed {
        session,
        changes: plan.changes,
        before: None,
        files_read: imported.stats.files_read,
        left_out: left_out.collect(),
    };
    if !request.dry_run && !absorbed.changes.is_empty() {
        let session = &absorbed.session;
        let named: Vec<String> = plan.paths.iter().map(|path| path.as_path().display().to_string()).collect();
        let details = json!({ "dir": dir.to_string_lossy(), "changes": absorbed.changes.len(), "paths": named });
        let passed = hooks::before(cx, Occasion::at(Transition::Absorb, session, theirs, details))?;
        // What a hook agreed to was worked out from what the session was before it ran.
        let is_same = !passed.has_looked() || seal_session(cx, session)?.root == ours;
        passed.confirm(is_same, &session.name)?;
        let before = to_root(cx, session, theirs, &plan.paths, "absorb")?.0;
        passed.done(cx);
        absorbed.before = Some(before);
    }
    Ok(absorbed)
}

/// What is to change in the session.
struct Plan {
    changes: Vec<Change>,
    /// The paths to take; all if there are none.
    paths: Vec<BytePath>,
}

fn plan(store: &Store, written: RootId, ours: RootId, theirs: RootId, force: bool) -> Result<Plan> {
    let between = |a: RootId, b: RootId| -> Result<Vec<Change>> {
        let (a, b) = (store.root(a).map_err(LiveError::from)?, store.root(b).map_err(LiveError::from)?);
        let (a, b) = (Frozen::new(store, &a), Frozen::new(store, &b));
        Ok(changes(&a, &b, &Scope::All).map_err(LiveError::from)?)
    };
    let mut changes = between(ours, theirs)?;
    if written == ours {
        return Ok(Plan { changes, paths: Vec::new() });
    }
    let by_us = paths_of(&between(written, ours)?);
    let by_them = paths_of(&between(written, theirs)?);
    // Where both have the same now, there is nothing to do.
    changes.retain(|change| own_paths(change).any(|path| by_them.contains(path)));
    let paths: Vec<BytePath> = changes.iter().flat_map(own_paths).cloned().collect();
    let mut contested: Vec<BytePath> = paths.iter().filter(|path| touches(&by_us, path)).cloned().collect();
    contested.dedup();
    if !force && !contested.is_empty() {
        return Err(PlainError::BothChanged { paths: contested }.into());
    }
    Ok(Plan { changes, paths })
}

/// The paths that a change is about: two if it is a rename.
fn own_paths(change: &Change) -> impl Iterator<Item = &BytePath> {
    let from = match &change.kind {
        ChangeKind::Renamed { from } => Some(from),
        _ => None,
    };
    from.into_iter().chain([&change.path])
}

fn paths_of(changes: &[Change]) -> BTreeSet<BytePath> {
    changes.iter().flat_map(own_paths).cloned().collect()
}

/// Whether one of the paths is this one, or below it.
fn touches(paths: &BTreeSet<BytePath>, path: &BytePath) -> bool {
    paths.range(path.clone()..).take_while(|other| other.starts_with(path)).next().is_some()
        || paths.range(path.join(b"")..).next().is_some_and(|other| other.starts_with(path))
}
