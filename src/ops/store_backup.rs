//! A backup: a second data directory with all that is stored, which can be used in place.
//!
//! It has the catalog of one moment, every pack that was there then, and no live files: each session's state is stored
//! first, and in the backup the session stands on that, as if its delta had been folded. So nothing is copied while
//! somebody writes it, and sessions can be mounted and written meanwhile; the state of each is that of the moment at which
//! its turn came, and no older than the catalog. Packs never change, so the next backup into the same directory copies
//! only those that came since. Nothing is removed from a backup: a collection in it does that.
//!
//! ```text
//! DIR/catalog.db, DIR/objects/packs/   as in any data directory
//! DIR/hooks/                           the hooks of sources; they run as anywhere
//! DIR/backup.json                      what the catalog was when it was written, to see whether somebody used it since
//! DIR/backup.lock                      held by whoever writes the backup
//! DIR/incoming/                        what is not complete yet
//! ```
//!
//! The catalog is put in its place last, and by a rename: a backup that was cut short is the one before, with some packs
//! that it does not need.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, ObjectType, Session, Status};
use crate::disk::{Disk, Open, RealDisk};
use crate::model::RootId;
use crate::store::{Store, StoreOptions};

use super::accelerate::UpperDir;
use super::checkpoint_create::seal_session;
use super::error::{Kind, Result};
use super::live::{self, LiveError, SessionBase, Standing};
use super::{Context, Error, blank, hooks};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something else is there.
    #[error("`{}` is neither empty nor a backup", .dir.display())]
    NotABackup {
        /// The directory.
        dir: PathBuf,
    },
    /// Somebody worked with it.
    #[error("the backup in `{}` was used as a data directory since it was made", .dir.display())]
    Used {
        /// The directory.
        dir: PathBuf,
    },
    /// It would be a part of what it is a backup of, or the other way round.
    #[error("`{}` and the data directory are one inside the other", .dir.display())]
    Nested {
        /// The directory.
        dir: PathBuf,
    },
    /// Another command writes it.
    #[error("another command writes the backup in `{}`", .dir.display())]
    Busy {
        /// The directory.
        dir: PathBuf,
    },
}

impl BackupError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotABackup { .. } | Self::Used { .. } => Kind::Conflict,
            Self::Nested { .. } => Kind::Usage,
            Self::Busy { .. } => Kind::Busy,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotABackup { .. } => "not-a-backup",
            Self::Used { .. } => "backup-used",
            Self::Nested { .. } => "backup-nested",
            Self::Busy { .. } => "backup-busy",
        }
    }

    /// What helps.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotABackup { .. } | Self::Nested { .. } => vec!["name an empty or missing directory".into()],
            Self::Used { .. } => vec!["name another directory: what was done in this one would be lost".into()],
            Self::Busy { .. } => vec!["wait until it has ended, and try again".into()],
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct BackupReport {
    /// Where, as an absolute path.
    pub dir: PathBuf,
    /// Sessions whose state is in it.
    pub sessions: u64,
    /// Packs that were copied now.
    pub copied_packs: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Packs that were there already.
    pub present_packs: u64,
    /// Sessions whose live files could not be stored, and why: in the backup they are as they were stored last.
    pub failed: Vec<(String, String)>,
}

/// Told how it comes along.
pub trait BackupWatch {
    /// Whether to stop.
    fn is_cancelled(&self) -> bool;
    /// So many bytes are to be copied.
    fn total(&self, bytes: u64);
    /// So many were.
    fn copied(&self, bytes: u64);
}

/// What the last backup wrote.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    version: u32,
    /// BLAKE3 of the catalog's file; two while one takes the place of the other.
    catalogs: Vec<String>,
}

/// Makes a backup, or brings one up to date. With `link`, packs on the same file system are linked and not copied: that
/// takes no space, and does not help against a disk that damages them.
///
/// # Errors
/// [`BackupError`], a collection runs, or what the catalog, the store or the disk say. The backup before is then whole.
pub fn run(cx: &mut Context, dir: &Path, link: bool, watch: &dyn BackupWatch) -> Result<BackupReport> {
    let dir = cx.cwd.as_ref().map_or_else(|| dir.to_owned(), |cwd| cwd.join(dir));
    let (dir, _lock) = begin(cx, &dir)?;
    let incoming = dir.join("incoming");
    let store = cx.store()?.clone();
    // The one keeps what the rows name, the other what is stored for the backup until it is there.
    let (_quiet, _hold) = (store.no_collection()?, store.hold()?);
    let mut report = BackupReport { dir: dir.clone(), ..BackupReport::default() };
    let mut copy = cx.catalog()?.copy_to(&incoming)?;
    for session in every_session(&copy)? {
        if watch.is_cancelled() {
            return Err(Error::Interrupted);
        }
        match stored(cx, &session) {
            Ok(root) => {
                copy.fold_session(&session.id, session.delta, root)?;
                report.sessions += 1;
            }
            Err(error) => report.failed.push((session.name, error.to_string())),
        }
    }
    copy.write_labels_to(&incoming.join("labels"))?;
    copy.finish_copy()?;
    copy_packs(&store, &dir, link, watch, &mut report)?;
    // Before the rows: what a hook is to refuse is not let through in between.
    let programs = incoming.join("hooks");
    let has_hooks = hooks::stored::copy_to(cx, &programs)?;
    hooks::stored::put_in_place(has_hooks.then_some(programs.as_path()), &dir)?;
    put_in_place(&dir)?;
    let (name, packs) = (dir.display().to_string(), report.copied_packs);
    cx.write(|tx| Ok(tx.store_event("store.backup", &serde_json::json!({ "dir": name, "packs": packs }))?))?;
    Ok(report)
}

/// Takes the directory, if it is one for this.
fn begin(cx: &Context, dir: &Path) -> Result<(PathBuf, crate::disk::File)> {
    let data = cx.paths.data.canonicalize().unwrap_or_else(|_| cx.paths.data.clone());
    // Also what is not there yet must not come to be inside.
    let there = dir.ancestors().find_map(|above| above.canonicalize().ok()).unwrap_or_else(|| dir.to_owned());
    let dir_is_there = dir.is_dir();
    if there.starts_with(&data) || dir_is_there && data.starts_with(&there) {
        return Err(BackupError::Nested { dir: dir.to_owned() }.into());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
    let dir = dir.canonicalize().map_err(failed(dir))?;
    let is_new = is_new(&dir)?;
    if !is_new && !dir.join("backup.json").is_file() {
        return Err(BackupError::NotABackup { dir }.into());
    }
    let lock = RealDisk.open(&dir.join("backup.lock"), Open::CreateOrWrite).map_err(failed(&dir))?;
    if !lock.try_lock().map_err(failed(&dir))? {
        return Err(BackupError::Busy { dir }.into());
    }
    if is_new {
        // Before anything else: what is cut short is to be known for what it is.
        write_note(&dir, Vec::new())?;
    }
    if was_used(&dir)? {
        return Err(BackupError::Used { dir }.into());
    }
    let incoming = dir.join("incoming");
    match fs::remove_dir_all(&incoming) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&incoming)(error)),
        _ => Ok((dir, lock)),
    }
}

/// Whether the directory is empty, but for what one leaves that ended before it had written a note.
fn is_new(dir: &Path) -> Result<bool> {
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        let name = entry.map_err(failed(dir))?.file_name();
        if name != "backup.lock" && name != "backup.json.new" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether somebody changed the catalog or mounted a session since the last backup.
fn was_used(dir: &Path) -> Result<bool> {
    let note = dir.join("backup.json");
    let known: Written = serde_json::from_slice(&fs::read(&note).map_err(failed(&note))?)
        .map_err(|error| failed(&note)(io::Error::other(error)))?;
    let catalog = dir.join("catalog.db");
    let has_log = fs::metadata(dir.join("catalog.db-wal")).is_ok_and(|found| found.len() > 0);
    let is_as_written = match fs::read(&catalog) {
        Ok(bytes) => known.catalogs.contains(&hash(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(failed(&catalog)(error)),
    };
    Ok(has_log || !is_as_written || has_changes(dir)?)
}

/// Whether a session was changed in the backup. One that was only looked at has files, too, and nothing in them: these go,
/// or they would lie on another base the next time.
fn has_changes(dir: &Path) -> Result<bool> {
    let sessions = dir.join("sessions");
    let entries = match fs::read_dir(&sessions) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(failed(&sessions))?.collect::<io::Result<Vec<_>>>().map_err(failed(&sessions))?,
    };
    let Some(catalog) = Catalog::open_existing(dir)? else { return Ok(!entries.is_empty()) };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = live::open_store(&disk, dir, StoreOptions::default())?;
    for id in entries.iter().filter_map(|entry| entry.file_name().into_string().ok()) {
        let Some(session) = catalog.view().session_even_deleted(&id)? else { return Ok(true) };
        if UpperDir::of(&live::session_dir(dir, &id), session.delta).is_there() {
            return Ok(true);
        }
        let mut rows = Untouched { store: &store, session: &session };
        match live::open_session(&disk, dir, &id, &store, Duration::ZERO, &mut rows) {
            Ok(open) if open.overlay.is_clean() => {}
            Ok(_) | Err(Error::Live(LiveError::InUse { .. })) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    fs::remove_dir_all(&sessions).map_err(failed(&sessions))?;
    Ok(false)
}

/// The rows of a session of the backup, which stay as they are.
struct Untouched<'a> {
    store: &'a Store,
    session: &'a Session,
}

impl Standing for Untouched<'_> {
    type Error = Error;

    fn base(&mut self) -> Result<SessionBase> {
        Ok(blank::base_of(self.store, self.session)?)
    }

    fn fold(&mut self, _from: &SessionBase, _root: RootId) -> Result<bool> {
        Ok(false)
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn write_note(dir: &Path, catalogs: Vec<String>) -> Result<()> {
    let (path, beside) = (dir.join("backup.json"), dir.join("backup.json.new"));
    let text = serde_json::to_vec(&Written { version: 1, catalogs }).map_err(|error| failed(&path)(error.into()))?;
    fs::write(&beside, text).map_err(failed(&beside))?;
    sync(&beside)?;
    fs::rename(&beside, &path).map_err(failed(&path))?;
    sync(dir)
}

/// Puts the new catalog in the place of the one before.
fn put_in_place(dir: &Path) -> Result<()> {
    let (from, to) = (dir.join("incoming/catalog.db"), dir.join("catalog.db"));
    let new = hash(&fs::read(&from).map_err(failed(&from))?);
    let old = fs::read(&to).ok().map(|bytes| hash(&bytes));
    write_note(dir, old.into_iter().chain([new.clone()]).collect())?;
    // What a reader of the catalog before left, which is empty, and how many changes that one had.
    for left in ["catalog.db-wal", "catalog.db-shm", "catalog.proof"] {
        let left = dir.join(left);
        match fs::remove_file(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&left)(error)),
            _ => {}
        }
    }
    fs::rename(&from, &to).map_err(failed(&to))?;
    let labels = crate::catalog::labels_in(dir);
    fs::rename(dir.join("incoming/labels"), &labels).map_err(failed(&labels))?;
    let proof = dir.join("catalog.proof");
    match fs::rename(dir.join("incoming/catalog.proof"), &proof) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&proof)(error)),
        _ => sync(dir)?,
    }
    write_note(dir, vec![new])?;
    let incoming = dir.join("incoming");
    fs::remove_dir_all(&incoming).map_err(failed(&incoming))
}

/// All sessions, also those in the trash.
fn every_session(catalog: &Catalog) -> Result<Vec<Session>> {
    let view = catalog.view();
    let mut all = view.sessions()?;
    for found in view.trash()?.into_iter().filter(|found| found.kind == ObjectType::Session) {
        all.extend(view.session_even_deleted(&found.id)?);
    }
    Ok(all)
}

/// The tree of a session's present state, which is durable.
fn stored(cx: &mut Context, session: &Session) -> Result<RootId> {
    if cx.catalog()?.view().session(&session.id).is_ok() {
        return Ok(seal_session(cx, session)?.root);
    }
    // In the trash: nobody has it open, but its changes can come back.
    let store = cx.store()?.clone();
    let dir = live::session_dir(&cx.paths.data, &session.id);
    if session.status == Status::Archived || !live::has_files(&dir, session.delta) {
        return Ok(blank::base_of(&store, session)?.root);
    }
    Ok(cx.open_even_deleted(&session.id)?.seal(|| ())?)
}

/// Copies the packs that the backup lacks.
fn copy_packs(
    store: &crate::store::Store,
    dir: &Path,
    link: bool,
    watch: &dyn BackupWatch,
    report: &mut BackupReport,
) -> Result<()> {
    let packs = dir.join("objects/packs");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&packs).map_err(failed(&packs))?;
    let mut missing = Vec::new();
    for (from, name) in store.pack_files()? {
        let len = fs::metadata(&from).map_err(failed(&from))?.len();
        match fs::metadata(packs.join(&name)) {
            Ok(found) if found.len() == len => report.present_packs += 1,
            _ => missing.push((from, name, len)),
        }
    }
    watch.total(missing.iter().map(|(.., len)| len).sum());
    for (from, name, len) in missing {
        if watch.is_cancelled() {
            return Err(Error::Interrupted);
        }
        copy_pack(&from, &dir.join("incoming").join(&name), &packs.join(&name), link)?;
        report.copied_packs += 1;
        report.copied_bytes += len;
        watch.copied(report.copied_bytes);
    }
    [packs, dir.join("objects"), dir.to_owned()].iter().try_for_each(|dir| sync(dir))
}

fn copy_pack(from: &Path, beside: &Path, to: &Path, link: bool) -> Result<()> {
    if !(link && fs::hard_link(from, beside).is_ok()) {
        // On file systems that can, this shares the blocks.
        fs::copy(from, beside).map_err(failed(beside))?;
        sync(beside)?;
    }
    fs::rename(beside, to).map_err(failed(to))
}

fn sync(path: &Path) -> Result<()> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path: path.clone(), source }
}
