//! Plain directories that sessions were written to.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::model::RootId;

use super::revision::root_id;
use super::{Error, ObjectType, Tx, View};

/// A directory that holds what a session was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Materialization {
    /// The id of the session.
    pub session: String,
    /// The directory, an absolute path.
    pub dir: PathBuf,
    /// What was written.
    pub root: RootId,
    /// The same tree with the numbers and times that its files got there.
    pub footprint: RootId,
}

impl View<'_> {
    /// What was written of a session to a directory, if something was.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn materialization(&self, session_id: &str, dir: &Path) -> Result<Option<Materialization>, Error> {
        let sql = "SELECT root, footprint FROM materialization WHERE session = ?1 AND dir = ?2";
        self.row(sql, (session_id, dir.as_os_str().as_bytes()), |row| {
            let (root, footprint) = (root_id(row, 0)?, root_id(row, 1)?);
            Ok(Materialization { session: session_id.to_owned(), dir: dir.to_owned(), root, footprint })
        })
    }
}

impl Tx<'_> {
    /// Notes what was written to a directory, in place of what was noted of it before, and forgets directories of the
    /// session that are gone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_materialization(&mut self, made: &Materialization, gone: &[PathBuf]) -> Result<(), Error> {
        let act = self.act();
        for dir in gone.iter().chain([&made.dir]) {
            let sql = "DELETE FROM materialization WHERE session = ?1 AND dir = ?2";
            self.execute(sql, (&made.session, dir.as_os_str().as_bytes()))?;
        }
        let dir = made.dir.as_os_str().as_bytes();
        self.execute(
            "INSERT INTO materialization (session, dir, root, footprint, created_ns, actor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (&made.session, dir, &made.root.0.0[..], &made.footprint.0.0[..], act.now_ns, &act.actor),
        )?;
        let details = json!({ "dir": made.dir.to_string_lossy(), "root": made.root.0.to_hex() });
        self.event("session.materialize", ObjectType::Session, &made.session, &details)
    }
}

impl View<'_> {
    /// The directories that a session was written to.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn materialized_dirs(&self, session_id: &str) -> Result<Vec<PathBuf>, Error> {
        let sql = "SELECT dir FROM materialization WHERE session = ?1 ORDER BY dir";
        self.rows(sql, [session_id], |row| {
            let dir: Vec<u8> = row.get(0)?;
            Ok(Path::new(std::ffi::OsStr::from_bytes(&dir)).to_owned())
        })
    }
}
