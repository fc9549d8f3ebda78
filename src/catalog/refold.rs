//! What another program's SQLite leaves of a catalog.
//!
//! A shell or a script that opens the catalog, if only to look at it, folds the log back into the file when it closes,
//! and knows nothing of our checksums: what it folds keeps those of the pages that were there before. Commands of ours
//! leave the log where it is, so a log that is gone or empty tells that somebody else was there. Then pages that do not
//! fit their checksums are believed once, if the catalog holds all changes that it is known to hold and SQLite finds
//! nothing wrong with it, and get new ones. Of a catalog whose log is there, no such page is ever believed.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::open::{BUSY_TIMEOUT, io_error};
use super::{Error, checked, migrate, proof};

/// Whether there is no log to speak of.
pub(super) fn is_log_gone(catalog: &Path) -> Result<bool, Error> {
    let log = catalog.with_extension("db-wal");
    match fs::metadata(&log) {
        Ok(found) => Ok(found.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error(&log, error)),
    }
}

/// Gives pages that others folded back their checksums. To be called under the lock of the catalog, while its log is gone.
pub(super) fn take_over(catalog: &Path, proven: u64) -> Result<(), Error> {
    // Opened before SQLite opens it and closed after it: closing a file lets go of all locks that the process has on it.
    let file = fs::OpenOptions::new().read(true).write(true).open(catalog).map_err(|error| io_error(catalog, error))?;
    let wrong = wrong_pages(&file).map_err(|error| io_error(catalog, error))?;
    if wrong.is_empty() {
        return Ok(());
    }
    let sql = |error| Error::sql(catalog, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let plain = Connection::open_with_flags(catalog, flags).map_err(sql)?;
    plain.busy_timeout(BUSY_TIMEOUT).map_err(sql)?;
    // Nobody else writes meanwhile.
    plain.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
    // One that a later version made stays as it is.
    migrate::check(catalog, &plain)?;
    proof::check(catalog, &plain, Some(proven))?;
    let found: String = plain.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(sql)?;
    if found != "ok" {
        return Err(Error::Damaged { path: catalog.to_owned(), what: found });
    }
    for offset in wrong {
        checked::seal_in(&file, offset).map_err(|error| io_error(catalog, error))?;
    }
    file.sync_all().map_err(|error| io_error(catalog, error))?;
    log::warn!("`{}` was written by another program; its pages have checksums again", catalog.display());
    drop(plain);
    Ok(())
}

/// Where the pages are that do not fit their checksums.
fn wrong_pages(file: &fs::File) -> io::Result<Vec<u64>> {
    let len = file.metadata()?.len();
    let mut page = [0; checked::PAGE_BYTES];
    let mut wrong = Vec::new();
    for offset in (0..len).step_by(checked::PAGE_BYTES) {
        file.read_exact_at(&mut page, offset)?;
        if !checked::is_right(&page, offset) {
            wrong.push(offset);
        }
    }
    Ok(wrong)
}
