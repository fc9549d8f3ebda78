//! Opening and creating the catalog's file.
//!
//! A new catalog is built under another name and renamed, so nobody ever sees half of one, and nobody waits for a
//! change of journal mode, during which SQLite's busy time-out does not work. Changes of the format happen under a
//! file lock; an up-to-date catalog is opened with a single look at its version.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, utimensat};

use super::{Error, migrate};

/// How long a command waits for others before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Pages of 4 KiB in the write-ahead log before it is folded back: small, because the next command reads it.
const CHECKPOINT_PAGES: i64 = 200;

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
    if let Some(connection) = connect(&path)?
        && migrate::check(&path, &connection)? == migrate::State::Current
    {
        return Ok((path, connection));
    }
    make_dir(data_dir)?;
    let lock = lock(&lock_of(&path))?;
    if connect(&path)?.is_none() {
        refuse_orphans(data_dir, &path)?;
        create(&path)?;
    }
    let mut connection = connect(&path)?.ok_or_else(|| io_error(&path, io::ErrorKind::NotFound.into()))?;
    migrate::run(&path, &mut connection)?;
    drop(lock);
    Ok((path, connection))
}

/// A connection to an existing file, with every setting that holds for one connection only.
pub(super) fn connect(path: &Path) -> Result<Option<Connection>, Error> {
    if !path.try_exists().map_err(|error| io_error(path, error))? {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let configure = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Otherwise each command would fold the log back when it ends, at the price of two more syncs.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok(connection)
    };
    configure().map(Some).map_err(|error| Error::sql(path, error))
}

/// Refuses to begin anew where there was a catalog: what it named is still there.
fn refuse_orphans(data_dir: &Path, path: &Path) -> Result<(), Error> {
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

/// Builds a catalog beside its place and moves it there.
fn create(path: &Path) -> Result<(), Error> {
    let beside = path.with_extension("db.new");
    for suffix in ["db.new", "db.new-wal", "db.new-shm"] {
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
    let sql = |error| Error::sql(&beside, error);
    let mut connection = Connection::open(&beside).map_err(sql)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
    migrate::run(&beside, &mut connection)?;
    // The last connection folds the log back when it closes, so that one file holds everything.
    connection.pragma_update(None, "journal_mode", "wal").map_err(sql)?;
    connection.close().map_err(|(_, error)| sql(error))?;
    sync(&beside)?;
    fs::rename(&beside, path).map_err(|error| io_error(path, error))?;
    sync(path.parent().unwrap_or(path))
}

/// Makes the data directory, with those above it, for its owner only, and all of their names durable.
fn make_dir(dir: &Path) -> Result<(), Error> {
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
fn sync(path: &Path) -> Result<(), Error> {
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

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
