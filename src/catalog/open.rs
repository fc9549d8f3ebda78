//! Opening and creating the catalog's file.
//!
//! A new catalog is built under another name and renamed, so nobody ever sees half of one, and nobody waits for a
//! change of journal mode, during which SQLite's busy time-out does not work. Changes of the format happen under a
//! file lock; an up-to-date catalog is opened with a look at its version and at how many changes it holds (`proof`).

use std::ffi::{CStr, c_int};
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, utimensat};

use super::{Error, checked, migrate, proof, refold};

/// How long a command waits for others before it gives up.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Pages of 4 KiB in the write-ahead log before it is folded back: small, because the next command reads it.
pub(super) const LOG_PAGES: c_int = 200;

/// Whether the log of a catalog that this process wrote has become as long as that.
static IS_LOG_LONG: AtomicBool = AtomicBool::new(false);

/// "aeth": marks the file as ours.
pub(super) const APPLICATION_ID: i64 = 0x6165_7468;

/// The catalog's file below the data directory.
#[must_use]
pub fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("catalog.db")
}

/// Opens the catalog below `data_dir`, makes it if there is none, and brings it up to date.
pub(super) fn open(data_dir: &Path) -> Result<(PathBuf, Connection), Error> {
    let path = file_in(data_dir);
    // Before anything of the catalog is looked at, or what others did meanwhile would be missing in it.
    let proven = proof::read(&path)?;
    if pages_of(&path)? == Some(Pages::Checked)
        && !refold::is_log_gone(&path)?
        && let Some(connection) = connect(&path)?
        && migrate::check(&path, &connection)? == migrate::State::Current
    {
        proof::check(&path, &connection, proven)?;
        return Ok((path, connection));
    }
    make_dir(data_dir)?;
    let lock = lock(&lock_of(&path))?;
    match pages_of(&path)? {
        None => {
            refuse_orphans(data_dir, &path)?;
            create(&path)?;
        }
        Some(Pages::Plain) => rebuild_checked(&path)?,
        Some(Pages::Checked) => {
            if let Some(proven) = proven
                && refold::is_log_gone(&path)?
            {
                refold::take_over(&path, proven)?;
            }
        }
    }
    let mut connection = connect(&path)?.ok_or_else(|| io_error(&path, io::ErrorKind::NotFound.into()))?;
    migrate::run(&path, &mut connection)?;
    proof::check(&path, &connection, proven)?;
    drop(lock);
    Ok((path, connection))
}

/// What the pages of a catalog are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pages {
    /// They have checksums.
    Checked,
    /// They have none: an older version made the catalog, or it is none.
    Plain,
}

/// Looks at the first page; `None` if there is no file.
fn pages_of(path: &Path) -> Result<Option<Pages>, Error> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| io_error(path, error))?,
    };
    let mut page = [0; checked::PAGE_BYTES];
    match file.read_exact_at(&mut page, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(Pages::Plain)),
        other => other.map_err(|error| io_error(path, error))?,
    }
    if page[checked::RESERVED_AT] == checked::RESERVED_BYTES {
        return Ok(Some(Pages::Checked));
    }
    if checked::is_right_but_for_its_reserve(&page) {
        return Err(Error::Damaged {
            path: path.to_owned(),
            what: "its first page has other bytes than were written".into(),
        });
    }
    Ok(Some(Pages::Plain))
}

/// The VFS that checks pages.
fn vfs(path: &Path) -> Result<&'static CStr, Error> {
    checked::register().ok_or_else(|| io_error(path, io::Error::other("SQLite has no way to open files")))
}

/// A connection to an existing file, with every setting that holds for one connection only.
pub(super) fn connect(path: &Path) -> Result<Option<Connection>, Error> {
    let Some(pages) = pages_of(path)? else { return Ok(None) };
    let vfs = vfs(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let configure = || {
        let connection = match pages {
            Pages::Checked => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
            Pages::Plain => Connection::open_with_flags(path, flags)?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Otherwise each command would fold the log back when it ends, at the price of two more syncs.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.wal_hook(Some(note_length));
        Ok(connection)
    };
    configure().map(Some).map_err(|error| Error::sql(path, error))
}

/// Makes a catalog where there was one of which nothing is left under its names.
pub(super) fn begin_anew(data_dir: &Path) -> Result<(PathBuf, Connection), Error> {
    let path = file_in(data_dir);
    let lock = lock(&lock_of(&path))?;
    if pages_of(&path)?.is_some() {
        return Err(io_error(&path, io::ErrorKind::AlreadyExists.into()));
    }
    create(&path)?;
    drop(lock);
    let connection = connect(&path)?.ok_or_else(|| io_error(&path, io::ErrorKind::NotFound.into()))?;
    Ok((path, connection))
}

/// Refuses to begin anew where there was a catalog: what it named is still there, or how many changes it held.
fn refuse_orphans(data_dir: &Path, path: &Path) -> Result<(), Error> {
    if let Some(proven) = proof::read(path)? {
        return Err(Error::Lost { path: path.to_owned(), found: 0, proven });
    }
    for (below, what) in [("sessions", "sessions"), ("objects/packs", "packs")] {
        let dir = data_dir.join(below);
        let has_some = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            other => other.map_err(|error| io_error(&dir, error))?.next().is_some(),
        };
        if has_some {
            let what = format!("it is missing, but there are {what} in `{}`", dir.display());
            return Err(Error::Damaged { path: path.to_owned(), what });
        }
    }
    Ok(())
}

/// An empty file beside the catalog's, for its owner only, in place of what a command left that was cut short.
fn beside(path: &Path) -> Result<PathBuf, Error> {
    let beside = path.with_extension("db.new");
    for suffix in ["db.new", "db.new-journal", "db.new-wal", "db.new-shm"] {
        match fs::remove_file(path.with_extension(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&beside, error)),
            _ => {}
        }
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(|error| io_error(&beside, error))?;
    Ok(beside)
}

/// Builds a catalog beside its place and moves it there.
fn create(path: &Path) -> Result<(), Error> {
    let beside = beside(path)?;
    let sql = |error| Error::sql(&beside, error);
    let vfs = vfs(&beside)?;
    let mut connection = Connection::open_with_flags_and_vfs(&beside, OpenFlags::default(), vfs).map_err(sql)?;
    connection.pragma_update(None, "page_size", checked::PAGE_BYTES as i64).map_err(sql)?;
    checked::reserve(&connection).map_err(sql)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
    migrate::run(&beside, &mut connection)?;
    put_in_place(connection, &beside, path)
}

/// Has a data base that is complete take the place of the catalog.
fn put_in_place(connection: Connection, beside: &Path, path: &Path) -> Result<(), Error> {
    complete(connection, beside)?;
    fs::rename(beside, path).map_err(|error| io_error(path, error))?;
    sync(path.parent().unwrap_or(path))
}

/// Closes a new data base as one durable file that holds everything.
pub(super) fn complete(connection: Connection, path: &Path) -> Result<(), Error> {
    let sql = |error| Error::sql(path, error);
    // The last connection folds the log back when it closes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sql)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(sql)?;
    connection.close().map_err(|(_, error)| sql(error))?;
    sync(path)
}

/// Writes all of a data base, as it is at one moment, into an empty file, with checksums.
pub(super) fn vacuum_into(connection: &Connection, to: &Path) -> Result<(), Error> {
    // The name as a URI, which says by what VFS to write.
    let mut uri = String::from("file:");
    for byte in to.as_os_str().as_bytes() {
        let _ = write!(uri, "%{byte:02x}");
    }
    let _ = write!(uri, "?vfs={}", vfs(to)?.to_string_lossy());
    // One statement sees one moment (https://sqlite.org/lang_vacuum.html#vacuuminto).
    connection.execute("VACUUM INTO ?1", [&uri]).map(drop).map_err(|error| Error::sql(to, error))
}

/// Writes a catalog anew whose pages have no checksums.
fn rebuild_checked(path: &Path) -> Result<(), Error> {
    let Some(mut old) = connect(path)? else { return Ok(()) };
    migrate::run(path, &mut old)?;
    let sql = |error| Error::sql(path, error);
    // All of it into the one file: a log that stayed would be taken for that of the new one.
    let busy: i64 = old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(sql)?;
    if busy != 0 {
        return Err(Error::Busy { path: path.to_owned() });
    }
    let beside = beside(path)?;
    checked::reserve(&old).map_err(sql)?;
    vacuum_into(&old, &beside)?;
    drop(old);
    let new =
        Connection::open_with_flags_and_vfs(&beside, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs(path)?).map_err(sql)?;
    put_in_place(new, &beside, path)
}

/// Makes the data directory, with those above it, for its owner only, and all of their names durable.
pub(super) fn make_dir(dir: &Path) -> Result<(), Error> {
    let missing = dir.ancestors().take_while(|above| !above.exists()).count();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| io_error(dir, error))?;
    // One that is there may have been made by a process that died before it came to this.
    for above in dir.ancestors().skip(1).take(missing.max(1)) {
        match sync(above) {
            // Somebody else's directory, of whose content nothing is our doing.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
    }
    Ok(())
}

/// Makes a file's bytes, or a directory's names, durable.
pub(super) fn sync(path: &Path) -> Result<(), Error> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(|error| io_error(path, error))
}

/// Waits for the lock under which catalogs are made and migrated.
fn lock(path: &Path) -> Result<fs::File, Error> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error(path, error))?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io_error(path, error.into())),
        }
    }
}

/// In place of SQLite's own, which folds the log back as soon as it is long, and again with each commit from then on.
fn note_length(_: &Wal, pages: c_int) -> rusqlite::Result<()> {
    IS_LOG_LONG.store(pages >= LOG_PAGES, Ordering::Relaxed);
    Ok(())
}

/// What follows a transaction that is durable, and was the change of this number: that is written down, and the log is
/// begun anew when it is long. A failure is no harm.
pub(super) fn committed(path: &Path, connection: &Connection, changes: u64) {
    proof::write(path, changes);
    if IS_LOG_LONG.swap(false, Ordering::Relaxed)
        && let Err(error) = begin_log_anew(connection)
    {
        log::warn!("the log of `{}` could not be folded back: {error}", path.display());
    }
}

/// Folds the log back, and has the next pages written to its front.
///
/// How much of the log is folded back is known in shared memory alone, which goes with the last process that has the
/// catalog open: the next one reads the log from its beginning, and takes nothing of it for folded. So a log that was only
/// folded back would never end; and each command would read all that was ever written, and fold it back once more.
fn begin_log_anew(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    // The first to write after that begins at the front, unless somebody reads what lies behind. It has to change something.
    let sql = "INSERT INTO meta (key, value) VALUES ('folded', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1";
    connection.execute(sql, []).map(drop)
}

/// Tells those who watch the directory that a change can be seen: SQLite's own write comes before that.
pub(super) fn tell(catalog: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    // A failure costs them a moment: they look again by themselves.
    let _told = utimensat(CWD, lock_of(catalog), &times, AtFlags::empty());
}

fn lock_of(catalog: &Path) -> PathBuf {
    catalog.with_extension("lock")
}

pub(super) fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
