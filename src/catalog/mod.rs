//! The catalog: every object that a command can name, in one SQLite file.
//!
//! It holds names, numbers and hashes, never file content and never a live delta. Its rules:
//!
//! - Every command that changes something is one transaction ([`Catalog::write`]) with one row in `operation`, and a
//!   line in `event` for each thing that changed. It happened wholly or not at all, and can be undone.
//! - When [`Catalog::write`] returns, what it did survives a power cut.
//! - Nothing slow happens inside a write transaction: whoever needs the disk does that first.
//! - Times, actors and randomness come from the caller, in an [`Act`].
//! - SQL stands beside the function that runs it, one file an object.

mod annotation;
mod approval;
mod bus;
mod cache;
mod carried;
mod checked;
mod checkpoint;
mod commit;
mod conflict;
mod copy;
mod dropped;
mod error;
mod event;
mod event_query;
mod health;
mod id;
mod label;
mod lock;
mod materialization;
mod merge;
mod migrate;
mod name;
mod open;
mod operation;
mod outcome;
mod policy;
mod proof;
mod purge;
mod refold;
mod resolve;
mod revision;
mod root;
mod session;
mod source;
mod tag;
mod trash;
mod undo;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use crate::model::RootId;

use undo::capture::Capture;

pub use annotation::{Annotation, AnnotationFilter, AnnotationReply, NewAnnotation};
pub use approval::{Answer, Approval, ApprovalFilter, ApprovalState, NewApproval, Verdict};
pub use bus::{BusFilter, BusLimits, BusMessage, BusStats};
pub use cache::{CacheCondition, CacheEntry, CacheFilter, CacheSet, CacheStats, NewCacheValue};
pub use carried::Carried;
pub use checkpoint::{Checkpoint, CheckpointKind, NewCheckpoint};
pub use commit::{Commit, NewCommit};
pub use conflict::ConflictRow;
pub use error::{Error, is_out_of_room};
pub use event::Event;
pub use event_query::EventFilter;
pub use health::{Health, HealthNow, NewHealth, TestCounts};
pub use id::{LEN as ID_LEN, ObjectType, has_id_form};
pub use label::{Labels, Restored, labels_in};
pub use lock::{Lock, NewLock};
pub use materialization::Materialization;
pub use merge::{Merge, MergeState, MergedFrom, NewMerge, StoodOn};
pub use migrate::FORMAT;
pub use name::{MAX_BYTES as NAME_MAX_BYTES, NameError, check as check_name};
pub use open::file_in;
pub use operation::{Operation, OperationKind};
pub use purge::Purged;
pub use revision::{NewRevision, Revision};
pub use root::RootRef;
pub use session::{Base, Parent, Session, Status};
pub use source::{ImportSettings, NewSource, Source, SourceKind};
pub use trash::Trashed;
pub use undo::{Reversal, RowChange, UndoError};

/// Who does something, when, as what, and with which luck.
#[derive(Clone, Debug)]
pub struct Act {
    /// The actor's name.
    pub actor: String,
    /// The command, as the operation log shows it.
    pub command: String,
    /// Nanoseconds since the Unix epoch.
    pub now_ns: i64,
    /// Random bytes that new ids are derived from.
    pub seed: [u8; 32],
}

/// An open catalog.
#[derive(Debug)]
pub struct Catalog {
    path: PathBuf,
    connection: Connection,
    capture: Capture,
    /// The command of `session run` that whatever is done happens in.
    via: Option<String>,
}

impl Catalog {
    /// Opens the catalog below a data directory; makes it, and the directory, if there is none.
    ///
    /// # Errors
    /// [`Error::Future`], [`Error::Foreign`], [`Error::Damaged`], or what the disk says.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        let (path, connection) = open::open(data_dir)?;
        Ok(Self::over(path, connection))
    }

    /// Makes a catalog for what is stored below a data directory, whose own was lost.
    ///
    /// # Errors
    /// There is one, or what the disk says.
    pub fn begin_anew(data_dir: &Path) -> Result<Self, Error> {
        let (path, connection) = open::begin_anew(data_dir)?;
        Ok(Self::over(path, connection))
    }

    /// Opens the catalog below a data directory as it is, of whatever format; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Foreign`], or what the disk says.
    pub fn open_existing(data_dir: &Path) -> Result<Option<Self>, Error> {
        let path = open::file_in(data_dir);
        Ok(open::connect(&path)?.map(|connection| Self::over(path, connection)))
    }

    fn over(path: PathBuf, connection: Connection) -> Self {
        Self { path, connection, capture: Capture::default(), via: None }
    }

    /// Says in which command of `session run` things are done from now on.
    pub fn happens_in(&mut self, via: Option<String>) {
        self.via = via;
    }

    /// Read access. Each call on it sees one moment; two calls may see two.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { path: &self.path, connection: &self.connection, capture: &self.capture }
    }

    /// Runs `look` with read access to one moment, however often it looks.
    ///
    /// # Errors
    /// What `look` says, or [`Error`] of the transaction itself.
    pub fn at_one_moment<T, E: From<Error>>(&self, look: impl FnOnce(View<'_>) -> Result<T, E>) -> Result<T, E> {
        let reading = self.connection.unchecked_transaction().map_err(|error| Error::sql(&self.path, error))?;
        let result = look(self.view());
        // There is nothing to keep.
        drop(reading);
        result
    }

    /// Does one command: runs `change` in one transaction, with one operation row. If it fails nothing has happened.
    ///
    /// # Errors
    /// What `change` says, or [`Error`] of the transaction itself.
    pub fn write<T, E: From<Error>>(
        &mut self,
        act: &Act,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.path.clone();
        self.capture.begin(&self.connection).map_err(|error| Error::sql(&path, error))?;
        match self.transact(act, change) {
            Ok((result, Some(changes))) => {
                open::committed(&path, &self.connection, changes);
                open::tell(&path);
                Ok(result)
            }
            other => {
                self.capture.rolled_back(&self.connection);
                other.map(|(result, _)| result)
            }
        }
    }

    /// The transaction of a command; gives the number of the change that it is, if it is one.
    fn transact<T, E: From<Error>>(
        &mut self,
        act: &Act,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<u64>), E> {
        let (path, capture) = (&self.path, &self.capture);
        let sql = |error| Error::sql(path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let view = View { path, connection: &transaction, capture };
        let operation = operation::insert(&view, act, self.via.as_deref())?;
        let untouched = transaction.total_changes();
        let named = Named::default();
        let mut tx = Tx { path, transaction: &transaction, capture, act, operation, ids: 0, named };
        let result = change(&mut tx)?;
        // A command that found nothing to change is no operation.
        if transaction.total_changes() == untouched {
            transaction.rollback().map_err(sql)?;
            return Ok((result, None));
        }
        let changes = proof::count(&transaction).map_err(sql)?;
        tx.note_named()?;
        let Named { rows, anew } = std::mem::take(&mut tx.named);
        label::add(&tx.view(), changes, rows, anew)?;
        if let Some(what) = capture.missed() {
            return Err(Error::Unnoted { what }.into());
        }
        transaction.commit().map_err(sql)?;
        Ok((result, Some(changes)))
    }

    /// Notes that a session's delta was folded: it stands on `root`, which holds all that the delta numbered `from` did,
    /// and its delta is an empty one with the next number. Says whether that was its delta.
    ///
    /// This changes how a session is stored and nothing that anybody could see, so it is no operation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn fold_session(&mut self, id: &str, from: u64, root: RootId) -> Result<bool, Error> {
        let sql = "UPDATE session SET base_root = ?3, delta = delta + 1 WHERE id = ?1 AND delta = ?2";
        // The new tree holds what the delta had from other ones.
        let unpin = "DELETE FROM session_pin WHERE session = ?1";
        let mut fold = || {
            let sql_error = |error| Error::sql(&self.path, error);
            let behavior = TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(behavior).map_err(sql_error)?;
            if transaction.execute(sql, (id, from, &root.0.0[..])).map_err(sql_error)? == 0 {
                return Ok(false);
            }
            transaction.execute(unpin, [id]).map_err(sql_error)?;
            let changes = proof::count(&transaction).map_err(sql_error)?;
            let row = ("session".to_owned(), serde_json::json!([format!("t{id}")]).to_string());
            let view = View { path: &self.path, connection: &transaction, capture: &self.capture };
            label::add(&view, changes, [row], false)?;
            transaction.commit().map_err(sql_error)?;
            open::committed(&self.path, &self.connection, changes);
            Ok(true)
        };
        fold()
    }

    /// The number of the file's format.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn format(&self) -> Result<i64, Error> {
        migrate::format(&self.path, &self.connection)
    }

    /// What is wrong: pages with other bytes than were written, what SQLite's integrity check finds, changes that are
    /// missing at the end. Nothing if all is well.
    ///
    /// # Errors
    /// What SQLite says when it cannot check.
    pub fn problems(&self) -> Result<Vec<String>, Error> {
        let proven = proof::read(&self.path)?;
        let checked = self.view().rows("PRAGMA integrity_check(20)", [], |row| row.get::<_, String>(0));
        let mut found = match checked {
            Err(Error::Damaged { what, .. }) => vec![what],
            other => other?,
        };
        found.retain(|line| line != "ok");
        match proof::check(&self.path, &self.connection, proven) {
            Err(Error::Lost { found: held, proven, .. }) => {
                found.push(format!("of {proven} changes that were durable, it holds only the first {held}"));
            }
            Err(Error::Damaged { what, .. }) if found.is_empty() => found.push(what),
            Err(Error::Damaged { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        Ok(found)
    }
}

/// Read access to the catalog.
#[derive(Clone, Copy, Debug)]
pub struct View<'c> {
    path: &'c Path,
    connection: &'c Connection,
    capture: &'c Capture,
}

impl View<'_> {
    /// All rows of a query.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        #[cfg(test)]
        plans::note(sql);
        let query = || {
            let mut statement = self.capture.prepare(self.connection, sql)?;
            statement.query_map(params, read)?.collect::<Result<Vec<_>, _>>()
        };
        query().map_err(|error| Error::sql(self.path, error))
    }

    /// The first row of a query, if there is one.
    fn row<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        Ok(self.rows(sql, params, read)?.into_iter().next())
    }
}

/// The transaction of one command.
#[derive(Debug)]
pub struct Tx<'c> {
    path: &'c Path,
    transaction: &'c Transaction<'c>,
    capture: &'c Capture,
    act: &'c Act,
    operation: i64,
    ids: u32,
    named: Named,
}

/// The rows of a transaction that labels are to be written of.
#[derive(Debug, Default)]
struct Named {
    rows: BTreeSet<label::RowName>,
    /// Of all rows.
    anew: bool,
}

impl<'c> Tx<'c> {
    /// Read access that sees what this transaction changed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { path: self.path, connection: self.transaction, capture: self.capture }
    }

    /// The row of this command in the operation log.
    #[must_use]
    pub fn operation(&self) -> i64 {
        self.operation
    }

    fn act(&self) -> &'c Act {
        self.act
    }

    /// Runs a statement; returns the number of rows it changed.
    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, Error> {
        #[cfg(test)]
        plans::note(sql);
        let run = || self.capture.prepare(self.transaction, sql)?.execute(params);
        run().map_err(|error| Error::sql(self.path, error))
    }

    /// Notes the rows that changed up to now, and that have labels.
    fn note_named(&mut self) -> Result<(), Error> {
        let sql = "SELECT DISTINCT table_name, key FROM undo_row WHERE operation = ?1";
        let rows: Vec<label::RowName> =
            self.view().rows(sql, [self.operation], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.named.rows.extend(rows.into_iter().filter(|(table, _)| label::has_labels(table)));
        Ok(())
    }

    /// An id that no object of the type has.
    fn fresh_id(&mut self, kind: ObjectType) -> Result<String, Error> {
        loop {
            self.ids += 1;
            let hash = blake3::keyed_hash(&self.act.seed, &self.ids.to_le_bytes());
            let mut random = [0; 8];
            random.copy_from_slice(&hash.as_bytes()[..8]);
            let id = id::from_random(kind, u64::from_le_bytes(random));
            if !self.view().id_is_taken(kind, &id)? {
                return Ok(id);
            }
        }
    }
}

#[cfg(test)]
mod plans;
#[cfg(test)]
mod tests;
