//! What a session changed: its state now against what it stands on.

use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Session;
use crate::model::{BytePath, ChangeSetHash};

use super::changes::{Change, FileDiff, Scope, TreeView, change_set_hash, changes, patch, visible};
use super::error::Result;
use super::import::ImportError;
use super::live::{LiveError, SessionView};
use super::rules::Globs;
use super::session_mount::{live_mount, run_dir};
use super::{Context, blank};

/// What to compare.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// Scratch paths too.
    pub all: bool,
    /// These paths and what is below them; all if there are none.
    pub paths: Vec<BytePath>,
}

/// A session and its changes.
#[derive(Debug)]
pub struct Changed {
    /// The session.
    pub session: Session,
    /// Where it is mounted, if a living process serves it.
    pub mount: Option<PathBuf>,
    /// The changes, in the order of their paths.
    pub changes: Vec<Change>,
    view: SessionView,
}

/// One change, and how many lines it adds and takes away.
#[derive(Debug)]
pub struct FileChange<'a> {
    /// The change.
    pub change: &'a Change,
    /// How the content differs.
    pub diff: FileDiff,
}

/// Compares a session with what it stands on. It may be mounted and written to meanwhile.
///
/// # Errors
/// The session is not there, or cannot be read.
pub fn run(cx: &mut Context, request: &Request) -> Result<Changed> {
    let session = cx.resolve_session(request.session.as_deref())?;
    let run = run_dir(cx)?;
    let store = Arc::new(cx.store()?.clone());
    let onto = store.root(blank::onto_of(&store, &session)?).map_err(LiveError::from)?;
    let record = live_mount(&run, &session.id)?;
    let view = match &record {
        Some(record) => SessionView::remote(&run, record, store, onto)?,
        None => SessionView::own(cx, &session.id, store, onto)?,
    };
    let scope = if request.all { Scope::All } else { tracked(cx, &session)? };
    let mut found = changes(&view.onto(), &view, &scope).map_err(LiveError::from)?;
    if !request.paths.is_empty() {
        found.retain(|change| request.paths.iter().any(|path| change.path.starts_with(path)));
    }
    Ok(Changed { session, mount: record.map(|record| record.mount_point), changes: found, view })
}

/// Tracked paths, as the source that the session came from has them.
fn tracked(cx: &mut Context, session: &Session) -> Result<Scope> {
    let source = match &session.base.source {
        Some(id) => cx.catalog()?.view().source_by_id(id)?,
        None => None,
    };
    let globs = source.map(|source| source.scratch).unwrap_or_default();
    Ok(Scope::Tracked(Globs::new(&globs).map_err(ImportError::from)?))
}

impl Changed {
    /// The changes that people want to see.
    #[must_use]
    pub fn visible(&self) -> Vec<&Change> {
        visible(&self.changes)
    }

    /// The name of the change set.
    ///
    /// # Errors
    /// The session cannot be read.
    pub fn hash(&self) -> Result<ChangeSetHash> {
        Ok(change_set_hash(&self.changes, &self.view).map_err(LiveError::from)?)
    }

    /// Looks into a file.
    ///
    /// # Errors
    /// The session cannot be read.
    pub fn look<'a>(&self, change: &'a Change) -> Result<FileChange<'a>> {
        let diff = FileDiff::of(change, &self.view.onto(), &self.view as &dyn TreeView).map_err(LiveError::from)?;
        Ok(FileChange { change, diff })
    }
}

impl FileChange<'_> {
    /// The change as a patch that `git apply` takes.
    #[must_use]
    pub fn patch(&self) -> Vec<u8> {
        patch(self.change, &self.diff)
    }
}
