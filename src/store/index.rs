//! The index: which pack holds an object, and where. A cache in SQLite, shared by all processes.
//!
//! It answers "not known" or a place that turns out wrong without harm: readers check what they find and then ask the
//! packs themselves. That is why it may lag behind, be deleted at any time, and need not be synced.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, ffi, params};

use crate::disk::{Disk, File, Open};
use crate::model::ObjectId;

use super::StoreError;
use super::pack::Contents;

/// The version of the tables below; any other is thrown away.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE packs (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        objects INTEGER NOT NULL,
        raw_bytes INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE objects (
        id BLOB PRIMARY KEY,
        pack INTEGER NOT NULL,
        block INTEGER NOT NULL,
        start INTEGER NOT NULL,
        len INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Connections kept for the next caller.
const POOL: usize = 4;
/// How long a statement waits for another process, in milliseconds.
const BUSY_MS: u64 = 10_000;

/// Where an object is, as far as the index knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The number of the pack in the index.
    pub pack: i64,
    /// Byte offset of the block in the pack.
    pub block: u64,
    /// Byte offset of the object in the block.
    pub start: u32,
    /// Length of the object in bytes.
    pub len: u32,
}

/// A pack as the index takes it in.
pub(super) struct PackEntry<'a> {
    pub name: &'a str,
    pub stored_bytes: u64,
    pub contents: &'a Contents,
}

/// Sums over all packs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub packs: u64,
    pub objects: u64,
    pub raw_bytes: u64,
    pub stored_bytes: u64,
}

/// The index's file and the connections to it.
#[derive(Debug)]
pub(super) struct Index {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Replaced as a whole when the file is, so that connections to two files are never mixed.
    pool: RwLock<Arc<Pool>>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Mutex<Vec<Connection>>,
    /// Which file it is: counts the replacements.
    file_no: u64,
    /// Device and inode of the file, once there is a connection to it.
    identity: Mutex<Option<(u64, u64)>>,
}

impl Index {
    /// Opens the index, or a new one in the place of none or a broken one.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Self, StoreError> {
        let index = Self { disk: disk.clone(), path: path.to_owned(), pool: RwLock::default() };
        match index.with(|_| Ok(())) {
            Err(error) if is_broken(&error) => index.replace(false)?,
            other => other?,
        }
        Ok(index)
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Index { path: self.path.clone(), source }
    }

    /// Runs `query` on a connection that nobody else uses meanwhile.
    fn with<T>(&self, query: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let pool = self.pool.read().clone();
        let idle = pool.idle.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = self.connect()?;
                pool.identity.lock().get_or_insert_with(|| identity(&self.path));
                connection
            }
        };
        let answer = query(&mut connection).map_err(|error| self.error(error))?;
        let mut idle = pool.idle.lock();
        if idle.len() < POOL {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// A connection to the index that is there, or to an empty one that is made.
    fn connect(&self) -> Result<Connection, StoreError> {
        match connect(&self.path) {
            Ok(Some(connection)) => Ok(connection),
            Ok(None) => {
                let _lock = self.lock()?;
                self.make_unless_there()
            }
            Err(error) => Err(self.error(error)),
        }
    }

    /// Waits for the lock under which the file is made and replaced.
    fn lock(&self) -> Result<File, StoreError> {
        let lock = self.disk.open(&self.path.with_extension("lock"), Open::CreateOrWrite)?;
        while !lock.try_lock()? {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(lock)
    }

    /// Makes the index, for the holder of the lock, unless another made it in the meantime.
    ///
    /// It is built beside its place: a file that others can see must not change its journal mode, because whoever meets
    /// that is told that the database is locked, however long he would wait.
    fn make_unless_there(&self) -> Result<Connection, StoreError> {
        let failed = |error| self.error(error);
        if let Some(connection) = connect(&self.path).map_err(failed)? {
            return Ok(connection);
        }
        let beside = self.path.with_extension("new");
        for ending in ["new", "new-wal", "new-shm", "db", "db-wal", "db-shm"] {
            self.remove(&self.path.with_extension(ending))?;
        }
        build(&beside).map_err(failed)?;
        self.disk.rename(&beside, &self.path)?;
        connect(&self.path).and_then(|made| made.ok_or(rusqlite::Error::InvalidQuery)).map_err(failed)
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Throws a broken index away and begins an empty one. Without `even_if_sound`, one that is sound by now stays:
    /// another process may have replaced it just before.
    pub fn replace(&self, even_if_sound: bool) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let mut pool = self.pool.write();
        *pool = Arc::new(Pool { file_no: pool.file_no + 1, ..Pool::default() });
        let fresh = connect(&self.path).and_then(|connection| {
            let Some(connection) = connection else { return Ok(false) };
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).map(|text| text == "ok")
        });
        if !even_if_sound && fresh.is_ok_and(|is_sound| is_sound) {
            return Ok(());
        }
        self.remove(&self.path)?;
        let connection = self.make_unless_there()?;
        *pool.identity.lock() = Some(identity(&self.path));
        pool.idle.lock().push(connection);
        Ok(())
    }

    /// Which file the numbers of packs are from: they mean others in another one.
    pub fn file_no(&self) -> u64 {
        self.pool.read().file_no
    }

    /// Turns to the file that has the name now, if another process replaced the one in use; says whether it did.
    pub fn follow_file(&self) -> bool {
        let mut pool = self.pool.write();
        let is_same = pool.identity.lock().is_none_or(|known| known == identity(&self.path));
        if !is_same {
            *pool = Arc::new(Pool { file_no: pool.file_no + 1, ..Pool::default() });
        }
        !is_same
    }

    /// Where the object is.
    pub fn locate(&self, id: &ObjectId) -> Result<Option<Location>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT pack, block, start, len FROM objects WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_row([&id.0[..]], |row| {
                Ok(Location {
                    pack: row.get(0)?,
                    block: row.get::<_, i64>(1)?.cast_unsigned(),
                    start: row.get(2)?,
                    len: row.get(3)?,
                })
            });
            found.optional()
        })
    }

    /// The file names of the packs it knows, and their numbers.
    pub fn packs(&self) -> Result<HashMap<String, i64>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT name, no FROM packs")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// The file name of a pack.
    pub fn pack_name(&self, no: i64) -> Result<Option<String>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM packs WHERE no = ?1")?;
            statement.query_row([no], |row| row.get(0)).optional()
        })
    }

    /// Where the blocks of a pack begin.
    pub fn blocks_of(&self, pack: &str) -> Result<Vec<u64>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT DISTINCT block FROM objects WHERE pack = (SELECT no FROM packs WHERE name = ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([pack], |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))?.collect()
        })
    }

    /// Sums over all packs.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        self.with(|connection| {
            let sql = "SELECT count(*), total(objects), total(raw_bytes), total(stored_bytes) FROM packs";
            connection.query_row(sql, [], |row| {
                Ok(Totals {
                    packs: row.get::<_, i64>(0)?.cast_unsigned(),
                    objects: row.get::<_, f64>(1)? as u64,
                    raw_bytes: row.get::<_, f64>(2)? as u64,
                    stored_bytes: row.get::<_, f64>(3)? as u64,
                })
            })
        })
    }

    /// Forgets packs, and gives the objects of others, which it knows, the places of those that lose theirs.
    pub fn retire(&self, names: &[&str], others: &[(&str, &Contents)]) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut number = transaction.prepare("SELECT no FROM packs WHERE name = ?1")?;
                let mut gone = Vec::new();
                for name in names {
                    gone.extend(number.query_row([name], |row| row.get::<_, i64>(0)).optional()?);
                }
                let list = gone.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                transaction.execute_batch(&format!(
                    "DELETE FROM objects WHERE pack IN ({list}); DELETE FROM packs WHERE no IN ({list});"
                ))?;
                for (name, contents) in others {
                    let mut rows = Vec::new();
                    if let Some(no) = number.query_row([name], |row| row.get(0)).optional()? {
                        push_rows(&mut rows, no, contents);
                    }
                    insert(&transaction, &mut rows)?;
                }
            }
            transaction.commit()
        })
    }

    /// Gives back to the disk what deleted rows took.
    pub fn shrink(&self) -> Result<(), StoreError> {
        self.with(|connection| {
            let count = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
            if count("freelist_count")? * 4 > count("page_count")? {
                connection.execute_batch("VACUUM")?;
            }
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })
    }

    /// Takes packs in. One that it knows already is left as it is; an object that has a place keeps it. With `anew`,
    /// all that was there is forgotten first.
    pub fn add(&self, packs: &[PackEntry<'_>], anew: bool) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if anew {
                transaction.execute_batch("DELETE FROM objects; DELETE FROM packs;")?;
            }
            let mut rows: Vec<(ObjectId, Location)> = Vec::new();
            for pack in packs {
                let sql =
                    "INSERT OR IGNORE INTO packs (name, objects, raw_bytes, stored_bytes) VALUES (?1, ?2, ?3, ?4)";
                let sums = [pack.contents.objects(), pack.contents.raw_bytes(), pack.stored_bytes];
                let [objects, raw_bytes, stored_bytes] = sums.map(u64::cast_signed);
                if transaction.execute(sql, params![pack.name, objects, raw_bytes, stored_bytes])? == 1 {
                    push_rows(&mut rows, transaction.last_insert_rowid(), pack.contents);
                }
            }
            insert(&transaction, &mut rows)?;
            transaction.commit()
        })
    }
}

/// Adds rows, in the order of their ids; an object that has a place keeps it.
fn insert(transaction: &Connection, rows: &mut [(ObjectId, Location)]) -> rusqlite::Result<()> {
    rows.sort_unstable_by_key(|(id, _)| *id);
    let sql = "INSERT OR IGNORE INTO objects (id, pack, block, start, len) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (id, at) in rows {
        statement.execute(params![&id.0[..], at.pack, at.block.cast_signed(), at.start, at.len])?;
    }
    Ok(())
}

fn push_rows(rows: &mut Vec<(ObjectId, Location)>, pack: i64, contents: &Contents) {
    for block in &contents.blocks {
        let mut start = 0;
        for (id, len) in &block.objects {
            rows.push((*id, Location { pack, block: block.offset, start, len: *len }));
            start = start.saturating_add(*len);
        }
    }
}

/// Device and inode of the file of this name; zeros if there is none.
fn identity(path: &Path) -> (u64, u64) {
    std::fs::metadata(path).map_or((0, 0), |found| (found.dev(), found.ino()))
}

/// A connection to the index, if there is one of this version.
fn connect(path: &Path) -> rusqlite::Result<Option<Connection>> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    // After a power cut the file may be anything. That is noticed and mended, and syncs would cost every command.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -1024)?;
    keep_files(&connection)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok((version == VERSION).then_some(connection))
}

/// Leaves the files beside the index, the log emptied, when the last connection is closed: on a disk that is full by the next
/// time, they could not be made.
fn keep_files(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_size_limit", 0)?;
    let mut on: std::ffi::c_int = 1;
    // SAFETY: the connection is open, and this request takes a pointer to an int.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_PERSIST_WAL,
            (&raw mut on).cast(),
        )
    };
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)) }
}

/// Makes an empty index in a file that nobody else knows.
fn build(path: &Path) -> rusqlite::Result<()> {
    // SQLite would make it with the umask's mode. What is wrong with the place, the next line tells.
    drop(OpenOptions::new().create(true).append(true).mode(0o600).open(path));
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(SCHEMA)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    // Last, so that closing it leaves one file that holds everything.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

/// Whether the error says that the file is no sound database, so that another should take its place: all that is not
/// about other processes, the disk or memory.
pub(super) fn is_broken(error: &StoreError) -> bool {
    let StoreError::Index { source, .. } = error else { return false };
    let rusqlite::Error::SqliteFailure(failure, _) = source else { return true };
    match failure.code {
        ErrorCode::SystemIoFailure => failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::DiskFull
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted => false,
        _ => true,
    }
}
