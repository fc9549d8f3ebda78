//! What a session changed: its state now against what it stands on.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::{Checkpoint, Commit, ObjectType, Session};
use crate::model::{BytePath, ChangeSetHash, RootId};

use super::changes::{Binaries, Change, FileDiff, PatchError, Scope, Sides, change_set_hash, changes, patch, visible};
use super::error::Result;
use super::import::ImportError;
use super::live::LiveError;
use super::names::{self, Named};
use super::rules::Globs;
use super::states::{self, StateView};
use super::{Context, Error, blank};

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

/// Two states and what differs between them.
#[derive(Debug)]
pub struct Compared {
    /// The changes, in the order of their paths.
    pub changes: Vec<Change>,
    /// What the newer state is, if it has a name.
    pub newer: Option<Named>,
    old: Arc<StateView>,
    new: Arc<StateView>,
}

/// A session and its changes.
#[derive(Debug)]
pub struct Changed {
    /// The session.
    pub session: Session,
    /// The newest revision of the source that it came from, if that is still there.
    pub newest_revision: Option<u64>,
    /// Where it is mounted, if a living process serves it.
    pub mount: Option<PathBuf>,
    /// What differs from what it stands on.
    pub compared: Compared,
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
    let (old, new) = (StateView::onto(cx, &session)?, StateView::session(cx, &session)?);
    let mount = new.mount.clone();
    let scope = scope(cx, request.all, session.base.source.as_deref())?;
    let newest_revision = newest_revision(cx, &session)?;
    let compared = compare(old.into(), new.into(), &scope, &request.paths)?.with(Named::Session(session.clone()));
    Ok(Changed { session, newest_revision, mount, compared })
}

fn newest_revision(cx: &mut Context, session: &Session) -> Result<Option<u64>> {
    let view = cx.catalog()?.view();
    let source = session.base.source.as_deref().map(|id| view.source_by_id(id)).transpose()?.flatten();
    Ok(source.map(|source| view.revision(&source, None)).transpose()?.map(|revision| revision.number))
}

/// Compares any two states. Without the second one, a session is compared with what it stands on, a checkpoint or commit
/// with its session as it is now, and a revision (or a commit whose session is gone) with the current session.
///
/// # Errors
/// What was named is not there, or cannot be read.
pub fn between(cx: &mut Context, a: &str, b: Option<&str>, request: &Request) -> Result<Compared> {
    let a = states::resolve(cx, a)?;
    let b = match (b, &a) {
        (Some(b), _) => states::resolve(cx, b)?,
        (None, Named::Session(session)) => {
            let request = Request { session: Some(session.id.clone()), ..request.clone() };
            return Ok(run(cx, &request)?.compared);
        }
        (None, Named::Checkpoint(session, _)) => Named::Session(session.clone()),
        (None, Named::Commit(commit)) => match cx.catalog()?.view().session(&commit.session) {
            Ok(session) => Named::Session(session),
            Err(_) => Named::Session(cx.resolve_session(None)?),
        },
        (None, Named::Revision(..)) => Named::Session(cx.resolve_session(None)?),
    };
    let scope = scope(cx, request.all, b.source().or(a.source()))?;
    let old = Arc::new(StateView::open(cx, &a)?);
    // A session that nobody has mounted can be opened once at a time.
    let new = match (&a, &b) {
        (Named::Session(a), Named::Session(b)) if a.id == b.id => Arc::clone(&old),
        _ => Arc::new(StateView::open(cx, &b)?),
    };
    Ok(compare(old, new, &scope, &request.paths)?.with(b))
}

/// Compares a checkpoint with another state. A number alone is a checkpoint of the current session, for the state only if
/// neither a session nor a source has it for its name.
///
/// # Errors
/// As [`between`].
pub fn since_checkpoint(cx: &mut Context, checkpoint: &str, state: &str, request: &Request) -> Result<Compared> {
    let view = cx.catalog()?.view();
    let is_name = view.name_is_taken(ObjectType::Session, state)? || view.name_is_taken(ObjectType::Source, state)?;
    let state = if is_name { state.into() } else { names::own_number(state) };
    between(cx, &names::own_number(checkpoint), Some(&state), request)
}

/// Compares two revisions, or one with the one before it.
///
/// # Errors
/// A revision is not there, or cannot be read.
pub fn of_revisions(cx: &mut Context, a: &str, b: Option<&str>, request: &Request) -> Result<Compared> {
    let view = cx.catalog()?.view();
    let (source, first) = names::resolve_revision(view, a)?;
    let (old, new) = match b {
        Some(b) => (first, names::resolve_revision(view, b)?.1),
        None => {
            let all = view.revisions(&source.id)?;
            let before = all.into_iter().find(|other| other.number < first.number);
            let revision = format!("{}@{}", source.name, first.number);
            (before.ok_or(super::Error::NoEarlierRevision { revision })?, first)
        }
    };
    let scope = scope(cx, request.all, Some(&source.id))?;
    let (old, new) = (StateView::frozen(cx, old.root)?, StateView::frozen(cx, new.root)?);
    compare(old.into(), new.into(), &scope, &request.paths)
}

/// Compares a commit with the one before it; the first one, and any if `whole`, with what its session stood on.
///
/// # Errors
/// The commit cannot be read.
pub fn of_commit(cx: &mut Context, commit: &Commit, whole: bool, request: &Request) -> Result<Compared> {
    let base = base_of(cx, commit, whole)?;
    let scope = scope(cx, request.all, commit.source.as_deref())?;
    let (old, new) = (StateView::frozen(cx, base)?, StateView::frozen(cx, commit.root)?);
    Ok(compare(old.into(), new.into(), &scope, &request.paths)?.with(Named::Commit(commit.clone())))
}

/// What a commit is compared with: the one before it, or what its session stood on.
pub(super) fn base_of(cx: &mut Context, commit: &Commit, whole: bool) -> Result<RootId> {
    let parent = match (&commit.parent, whole) {
        (Some(parent), false) => cx.catalog()?.view().commit_even_deleted(parent)?,
        _ => None,
    };
    let base = parent.map(|parent| parent.root).or(commit.base);
    base.map_or_else(|| blank::root(cx.store()?, commit.created_ns).map_err(Error::from), Ok)
}

/// Compares a checkpoint with the one before it in its session, or with what the session began with.
///
/// # Errors
/// The checkpoint cannot be read.
pub fn of_checkpoint(
    cx: &mut Context,
    (session, checkpoint): &(Session, Checkpoint),
    request: &Request,
) -> Result<Compared> {
    let all = cx.catalog()?.view().checkpoints(&session.id)?;
    let old = match (all.iter().find(|other| other.number < checkpoint.number), session.parent_root) {
        (Some(before), _) => StateView::frozen(cx, before.root)?,
        (None, Some(root)) => StateView::frozen(cx, root)?,
        (None, None) => StateView::onto(cx, session)?,
    };
    let new = StateView::frozen(cx, checkpoint.root)?;
    let scope = scope(cx, request.all, session.base.source.as_deref())?;
    let newer = Named::Checkpoint(session.clone(), checkpoint.clone());
    Ok(compare(old.into(), new.into(), &scope, &request.paths)?.with(newer))
}

pub(super) fn compare(old: Arc<StateView>, new: Arc<StateView>, scope: &Scope, paths: &[BytePath]) -> Result<Compared> {
    let mut found = changes(&*old, &*new, scope).map_err(LiveError::from)?;
    if !paths.is_empty() {
        found.retain(|change| paths.iter().any(|path| change.path.starts_with(path)));
    }
    Ok(Compared { changes: found, newer: None, old, new })
}

/// Everything, or tracked paths as the source has them.
pub(super) fn scope(cx: &mut Context, all: bool, source: Option<&str>) -> Result<Scope> {
    if all {
        return Ok(Scope::All);
    }
    let source = match source {
        Some(id) => cx.catalog()?.view().source_by_id(id)?,
        None => None,
    };
    let globs = source.map(|source| source.scratch).unwrap_or_default();
    Ok(Scope::Tracked(Globs::new(&globs).map_err(ImportError::from)?))
}

impl Compared {
    /// With what the newer state is.
    pub(super) fn with(self, newer: Named) -> Self {
        Self { newer: Some(newer), ..self }
    }

    /// The newer state.
    pub(super) fn new_view(&self) -> &StateView {
        &self.new
    }

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
        Ok(change_set_hash(&self.changes, &*self.new).map_err(LiveError::from)?)
    }

    /// The name of one change: it is the same for two that leave the same behind.
    ///
    /// # Errors
    /// The session cannot be read.
    pub fn hash_of(&self, change: &Change) -> Result<ChangeSetHash> {
        Ok(change_set_hash(std::slice::from_ref(change), &*self.new).map_err(LiveError::from)?)
    }

    /// Looks into a file.
    ///
    /// # Errors
    /// The session cannot be read.
    pub fn look<'a>(&self, change: &'a Change) -> Result<FileChange<'a>> {
        let diff = FileDiff::of(change, &*self.old, &*self.new).map_err(LiveError::from)?;
        Ok(FileChange { change, diff })
    }

    /// The two states.
    #[must_use]
    pub fn sides(&self) -> Sides<'_> {
        Sides { old: &*self.old, new: &*self.new }
    }

    /// Writes a change as a patch that `git apply` takes.
    ///
    /// # Errors
    /// [`PatchError`].
    pub fn write_patch(
        &self,
        file: &FileChange<'_>,
        binaries: Binaries,
        out: &mut dyn Write,
    ) -> std::result::Result<(), PatchError> {
        patch(file.change, &file.diff, self.sides(), binaries, out)
    }
}
