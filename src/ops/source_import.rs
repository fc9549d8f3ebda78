//! Making a source, and importing it again.
//!
//! The import runs before the transaction, so that nobody waits for it. Until the transaction is done nothing of it can
//! be seen; what it stored is found and reused by the next one.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::catalog::{ImportSettings, NewRevision, NewSource, ObjectType, Source, SourceKind};
use crate::model::RootId;
use crate::store::Hold;

use super::error::Result;
use super::import::{ImportOptions, ImportProgress, Imported, import_dir};
use super::source_list::{SourceInfo, show};
use super::{Context, Error, blank, mounts};

/// What a source is made of.
#[derive(Clone, Debug)]
pub enum From {
    /// A directory; a relative path starts at the working directory.
    Dir(PathBuf),
    /// Nothing.
    Empty,
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
    from: &From,
    settings: ImportSettings,
    scratch: Vec<String>,
    tags: &[(String, String)],
    watch: Watch<'_>,
) -> Result<SourceImport> {
    // Before the import, because it may take long; the transaction looks again.
    cx.catalog()?.view().check_free(ObjectType::Source, name)?;
    let hold = cx.store()?.hold()?;
    super::rules::Globs::new(&scratch).map_err(super::import::ImportError::from)?;
    let (kind, origin, revision, files_read) = match from {
        From::Empty => (SourceKind::Empty, None, empty_revision(cx)?, 0),
        From::Dir(dir) => {
            let origin = resolve(cx, dir)?;
            let (revision, files_read) = import(cx, &hold, &origin, None, &settings, watch)?;
            (SourceKind::Dir, Some(origin), revision, files_read)
        }
    };
    let new = NewSource { name: name.to_owned(), kind, origin, import: settings, scratch };
    let id = cx.write(|tx| {
        let id = tx.create_source(&new)?;
        tx.create_revision(&id, &revision)?;
        super::tags::put(tx, ObjectType::Source, &id, tags)?;
        Ok(id)
    })?;
    Ok(SourceImport { info: show(cx, &id)?, changed: true, left_out: revision.left_out, files_read })
}

/// Imports a source again, as it was imported before. Only what differs in size, times or inode is read.
///
/// # Errors
/// The source is not there, has no origin, or the import fails; then it is as it was.
pub fn refresh(cx: &mut Context, key: &str, watch: Watch<'_>) -> Result<SourceImport> {
    // Before the revision is looked up that the import builds upon.
    let hold = cx.store()?.hold()?;
    let info = show(cx, key)?;
    let Some(origin) = info.source.origin.clone() else {
        return Err(Error::NoOrigin { name: info.source.name });
    };
    refuse_covered(cx, &info.source, &origin)?;
    let previous = info.newest.as_ref().map(|revision| revision.root);
    let (revision, files_read) = import(cx, &hold, &origin, previous, &info.source.import, watch)?;
    let changed = previous != Some(revision.root);
    if changed {
        cx.write(|tx| Ok(tx.create_revision(&info.source.id, &revision)?))?;
    }
    Ok(SourceImport { info: show(cx, &info.source.id)?, changed, left_out: revision.left_out, files_read })
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

/// The directory without symbolic links, so that a later refresh finds the same one.
fn resolve(cx: &Context, dir: &Path) -> Result<PathBuf> {
    let path = cx.cwd.as_ref().map_or_else(|| dir.to_owned(), |cwd| cwd.join(dir));
    path.canonicalize().map_err(|source| Error::Io { path, source })
}

fn import(
    cx: &Context,
    hold: &Hold,
    origin: &Path,
    previous: Option<RootId>,
    settings: &ImportSettings,
    watch: Watch<'_>,
) -> Result<(NewRevision, u64)> {
    let started = Instant::now();
    let table = mounts::table()?;
    let options = ImportOptions {
        exclude: settings.excludes.clone(),
        respect_gitignore: settings.respect_gitignore,
        skip_unreadable: settings.skip_unreadable,
        threads: None,
        data_dirs: vec![cx.paths.data.clone()],
        mounts: table.ours().map(|entry| entry.mount_point.clone()).collect(),
    };
    let imported = import_dir(hold, origin, previous, &options, watch.progress, watch.cancel)?;
    let left_out = notes(&imported);
    let Imported { root, stats, .. } = imported;
    let duration_ns = started.elapsed().as_nanos() as u64;
    let (files, dirs, size_bytes) = (stats.files, stats.dirs, stats.bytes);
    Ok((NewRevision { root, files, dirs, size_bytes, duration_ns, left_out }, stats.files_read))
}

/// What the import did not take, a line each.
fn notes(imported: &Imported) -> Vec<String> {
    let left_out =
        imported.left_out.iter().map(|left| format!("`{}`: {}", left.path.as_bytes().escape_ascii(), left.why));
    left_out.chain(imported.unreadable.iter().map(ToString::to_string)).collect()
}

fn empty_revision(cx: &mut Context) -> Result<NewRevision> {
    let now_ns = cx.now_ns;
    let root = blank::root(cx.store()?, now_ns)?;
    Ok(NewRevision { root, files: 0, dirs: 1, size_bytes: 0, duration_ns: 0, left_out: Vec::new() })
}
