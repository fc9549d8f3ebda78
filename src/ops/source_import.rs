//! Making a source, and importing it again.
//!
//! The import runs before the transaction, so that nobody waits for it. Until the transaction is done nothing of it can
//! be seen; what it stored is found and reused by the next one.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::catalog::{ImportSettings, NewRevision, NewSource, ObjectType, Source, SourceKind};
use crate::store::Hold;

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::import::{ImportError, ImportProgress};
use super::live::LiveError;
use super::names::Named;
use super::source_list::{SourceInfo, show};
use super::source_origin::{Origin, Taken, take_stream};
use super::{Context, Error, blank, mounts, reserve, states};

/// What a source is made of.
pub enum From {
    /// A directory; a relative path starts at the working directory.
    Dir(PathBuf),
    /// Whatever the user's text stands for: a directory, a repository or its address, a bundle, an archive.
    Origin {
        /// As the user wrote it.
        text: OsString,
        /// What it is, if the user says so.
        kind: Option<SourceKind>,
    },
    /// A tar archive that comes in.
    Stream(Box<dyn Read>),
    /// A session as it is now, a checkpoint or a revision, as the user wrote it.
    State(String),
    /// Nothing.
    Empty,
}

impl fmt::Debug for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(dir) => f.debug_tuple("Dir").field(dir).finish(),
            Self::Origin { text, kind } => f.debug_struct("Origin").field("text", text).field("kind", kind).finish(),
            Self::Stream(_) => f.write_str("Stream"),
            Self::State(text) => f.debug_tuple("State").field(text).finish(),
            Self::Empty => f.write_str("Empty"),
        }
    }
}

/// What an import did to a source.
#[derive(Debug)]
pub struct SourceImport {
    /// The source as it is now.
    pub info: SourceInfo,
    /// Whether there is a new revision.
    pub changed: bool,
    /// What was not taken, a line each.
    pub left_out: Vec<String>,
    /// Files that were opened and read.
    pub files_read: u64,
}

/// How to watch and stop an import.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Told how it comes along.
    pub progress: &'a dyn ImportProgress,
    /// Ends it when it becomes true.
    pub cancel: &'a AtomicBool,
}

/// Makes a source with its first revision.
///
/// # Errors
/// The name is wrong or taken, or the import fails; then there is no source.
pub fn create(
    cx: &mut Context,
    name: &str,
    from: From,
    settings: ImportSettings,
    scratch: Vec<String>,
    tags: &[(String, String)],
    watch: Watch<'_>,
) -> Result<SourceImport> {
    // Before the import, because it may take long; the transaction looks again.
    cx.catalog()?.view().check_free(ObjectType::Source, name)?;
    let hold = cx.store()?.hold()?;
    super::rules::Globs::new(&scratch).map_err(ImportError::from)?;
    let (kind, origin, taken) = take(cx, &hold, from, &settings, watch)?;
    let Taken { revision, files_read } = taken;
    let new = NewSource { name: name.to_owned(), kind, origin, import: settings, scratch };
    let id = cx.write(|tx| {
        let id = tx.create_source(&new)?;
        tx.create_revision(&id, &revision)?;
        super::tags::put(tx, ObjectType::Source, &id, tags)?;
        Ok(id)
    })?;
    reserve::keep(&cx.paths.data);
    Ok(SourceImport { info: show(cx, &id)?, changed: true, left_out: revision.left_out, files_read })
}

fn take(
    cx: &mut Context,
    hold: &Hold,
    from: From,
    settings: &ImportSettings,
    watch: Watch<'_>,
) -> Result<(SourceKind, Option<PathBuf>, Taken)> {
    let origin = match from {
        From::Empty => {
            let revision = empty_revision(cx)?;
            return Ok((SourceKind::Empty, None, Taken { revision, files_read: 0 }));
        }
        From::Stream(stream) => {
            check_settings(SourceKind::Tar, settings)?;
            return Ok((SourceKind::Tar, None, take_stream(hold, stream, None, settings, watch)?));
        }
        From::State(text) => {
            check_settings(SourceKind::State, settings)?;
            let named = states::resolve(cx, &text)?;
            let taken = Taken { revision: take_state(cx, &named)?, files_read: 0 };
            return Ok((SourceKind::State, Some(named.id().into()), taken));
        }
        From::Dir(dir) => Origin::recognise(cx, dir.as_os_str(), Some(SourceKind::Dir), settings)?,
        From::Origin { text, kind } => Origin::recognise(cx, &text, kind, settings)?,
    };
    check_settings(origin.kind, settings)?;
    let taken = origin.take(cx, hold, None, settings, watch)?;
    Ok((origin.kind, Some(origin.place), taken))
}

/// Refuses options that mean nothing for the kind of origin that it is.
fn check_settings(kind: SourceKind, settings: &ImportSettings) -> Result<()> {
    let is_git = matches!(kind, SourceKind::Git | SourceKind::Bundle);
    let is_dir = kind == SourceKind::Dir;
    let wrong = [
        ("--exclude", !settings.excludes.is_empty() && kind == SourceKind::State),
        ("--rev", settings.rev.is_some() && !is_git),
        ("--submodules", settings.submodules && !is_git),
        ("--max-size", settings.max_bytes.is_some() && (is_dir || kind == SourceKind::State)),
        ("--respect-gitignore", settings.respect_gitignore && !is_dir),
        ("--skip-unreadable", settings.skip_unreadable && !is_dir),
    ];
    match wrong.into_iter().find(|(_, wrong)| *wrong) {
        Some((option, _)) => Err(Error::NotForKind { option, kind: kind.word() }),
        None => Ok(()),
    }
}

/// Imports a source again, as it was imported before. Of a directory, only what differs in size, times or inode is
/// read; a repository at the same commit and an archive that was not touched are not read at all.
///
/// # Errors
/// The source is not there, has no origin, or the import fails; then it is as it was.
pub fn refresh(cx: &mut Context, key: &str, watch: Watch<'_>) -> Result<SourceImport> {
    // Before the revision is looked up that the import builds upon.
    let hold = cx.store()?.hold()?;
    let info = show(cx, key)?;
    if info.source.kind == SourceKind::State {
        return refresh_state(cx, info);
    }
    let Some(origin) = Origin::of(&info.source) else {
        return Err(Error::NoOrigin { name: info.source.name });
    };
    refuse_covered(cx, &info.source, &origin.place)?;
    // What was promoted since is no state of the origin.
    let imported = cx.catalog()?.view().newest_import(&info.source.id)?;
    let version = imported.as_ref().and_then(|revision| revision.origin_version.as_deref());
    if origin.is_at(version, &info.source.import)? {
        return Ok(SourceImport { info, changed: false, left_out: Vec::new(), files_read: 0 });
    }
    let previous = imported.as_ref().map(|revision| revision.root);
    let Taken { revision, files_read } = origin.take(cx, &hold, previous, &info.source.import, watch)?;
    let changed = previous != Some(revision.root);
    if changed {
        cx.write(|tx| Ok(tx.create_revision(&info.source.id, &revision)?))?;
    }
    Ok(SourceImport { info: show(cx, &info.source.id)?, changed, left_out: revision.left_out, files_read })
}

/// Takes the state again that a source was made of: a session may have changed, all others have not.
fn refresh_state(cx: &mut Context, info: SourceInfo) -> Result<SourceImport> {
    let origin = info.source.origin.as_ref().and_then(|origin| origin.to_str().map(str::to_owned));
    let origin = origin.ok_or_else(|| Error::NoOrigin { name: info.source.name.clone() })?;
    let named = states::resolve(cx, &origin)?;
    let revision = take_state(cx, &named)?;
    let changed = info.newest.as_ref().map(|newest| newest.root) != Some(revision.root);
    if changed {
        cx.write(|tx| Ok(tx.create_revision(&info.source.id, &revision)?))?;
    }
    Ok(SourceImport { info: show(cx, &info.source.id)?, changed, left_out: Vec::new(), files_read: 0 })
}

/// A state as a revision. The caller holds the store.
fn take_state(cx: &mut Context, named: &Named) -> Result<NewRevision> {
    let started = Instant::now();
    let root = match named {
        Named::Session(session) => seal_session(cx, session)?.root,
        Named::Checkpoint(_, checkpoint) => checkpoint.root,
        Named::Revision(_, revision) => revision.root,
        Named::Commit(commit) => commit.root,
    };
    let totals = cx.store()?.root(root).map_err(LiveError::from)?.totals;
    Ok(NewRevision {
        root,
        files: totals.files,
        dirs: totals.dirs,
        size_bytes: totals.size_bytes,
        duration_ns: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        left_out: Vec::new(),
        origin_version: None,
    })
}

/// Stores what the origin of a source has now, and makes no revision of it: for objects that were lost.
///
/// # Errors
/// It has no origin, or the import fails. What was stored until then is stored.
pub(super) fn store_again(cx: &mut Context, source: &Source, watch: Watch<'_>) -> Result<()> {
    let hold = cx.store()?.hold()?;
    let Some(origin) = Origin::of(source) else {
        return Err(Error::NoOrigin { name: source.name.clone() });
    };
    refuse_covered(cx, source, &origin.place)?;
    let mut settings = source.import.clone();
    if matches!(source.kind, SourceKind::Git | SourceKind::Bundle) {
        // What the newest revision was made of, wherever the branch is by now.
        let newest = cx.catalog()?.view().revision(source, None)?.origin_version;
        settings.rev = newest.or(settings.rev);
    }
    origin.take(cx, &hold, None, &settings, watch).map(drop)
}

/// A session of the source, or a revision, that is mounted over the origin is not the origin: its own changes would come
/// back as what happened to the directory.
fn refuse_covered(cx: &mut Context, source: &Source, origin: &Path) -> Result<()> {
    let table = mounts::table()?;
    let Some((entry, tag)) = table.containing(origin).and_then(|entry| Some((entry, entry.tag()?))) else {
        return Ok(());
    };
    let sessions = cx.catalog()?.view().sessions_on(&source.id)?;
    if tag.starts_with(&format!("{}@", source.id)) || sessions.iter().any(|session| session.id == tag) {
        return Err(Error::OriginCovered { name: source.name.clone(), at: entry.mount_point.clone() });
    }
    Ok(())
}

fn empty_revision(cx: &mut Context) -> Result<NewRevision> {
    let now_ns = cx.now_ns;
    let root = blank::root(cx.store()?, now_ns)?;
    Ok(NewRevision {
        root,
        files: 0,
        dirs: 1,
        size_bytes: 0,
        duration_ns: 0,
        left_out: Vec::new(),
        origin_version: None,
    })
}
