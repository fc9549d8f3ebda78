//! Revisions: the numbered, immutable trees of a source.

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::json;

use crate::model::{ObjectId, RootId};

use super::source::strings;
use super::{Error, ObjectType, Source, Tx, View};

/// What an import yielded.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// The tree.
    pub root: RootId,
    /// Inodes that are not directories.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// How long the import took, in nanoseconds.
    pub duration_ns: u64,
    /// What was left out and why, a line each, ready to be shown.
    pub left_out: Vec<String>,
    /// Which state of the origin it was: a commit, or the identity and times of a file.
    pub origin_version: Option<String>,
}

/// One immutable tree of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The id of its source.
    pub source: String,
    /// Its number, from 1; never given out twice.
    pub number: u64,
    /// The tree.
    pub root: RootId,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Who made it.
    pub actor: String,
    /// Inodes that are not directories.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// How long the import took, in nanoseconds.
    pub duration_ns: u64,
    /// What was left out and why, a line each.
    pub left_out: Vec<String>,
    /// Which state of the origin it was: a commit, or the identity and times of a file.
    pub origin_version: Option<String>,
    /// The id of the session or commit that it was promoted from; `None`: it was imported.
    pub promoted_from: Option<String>,
}

pub(super) const COLUMNS: &str =
    "source, number, root, created_ns, actor, files, dirs, size_bytes, duration_ns, left_out, origin_version, promoted_from
     FROM revision";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Revision> {
    Ok(Revision {
        source: row.get(0)?,
        number: row.get(1)?,
        root: root_id(row, 2)?,
        created_ns: row.get(3)?,
        actor: row.get(4)?,
        files: row.get(5)?,
        dirs: row.get(6)?,
        size_bytes: row.get(7)?,
        duration_ns: row.get(8)?,
        left_out: strings(row, 9)?,
        origin_version: row.get(10)?,
        promoted_from: row.get(11)?,
    })
}

/// A column that holds the hash of a tree.
pub(super) fn root_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RootId> {
    let bytes: Vec<u8> = row.get(column)?;
    let bytes = <[u8; 32]>::try_from(bytes)
        .map_err(|_| rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, "no hash of 32 bytes".into()))?;
    Ok(RootId(ObjectId(bytes)))
}

impl View<'_> {
    /// All revisions of a source, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn revisions(&self, source_id: &str) -> Result<Vec<Revision>, Error> {
        self.rows(&format!("SELECT {COLUMNS} WHERE source = ?1 ORDER BY number DESC"), [source_id], read)
    }

    /// The newest revision of every source that is not deleted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_revisions(&self) -> Result<Vec<Revision>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE number = (SELECT max(number) FROM revision AS r WHERE r.source = revision.source)"
        );
        self.rows(&sql, [], read)
    }

    /// The newest revision of a source.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_revision(&self, source_id: &str) -> Result<Option<Revision>, Error> {
        self.row(&format!("SELECT {COLUMNS} WHERE source = ?1 ORDER BY number DESC LIMIT 1"), [source_id], read)
    }

    /// One revision of a source, the newest if no number is given.
    ///
    /// # Errors
    /// [`Error::NoRevision`], or what SQLite says.
    pub fn revision(&self, source: &Source, number: Option<u64>) -> Result<Revision, Error> {
        let newest = self.newest_revision(&source.id)?;
        let found = match (number, &newest) {
            (None, newest) => newest.clone(),
            (Some(number), _) => {
                self.row(&format!("SELECT {COLUMNS} WHERE source = ?1 AND number = ?2"), (&source.id, number), read)?
            }
        };
        found.ok_or_else(|| Error::NoRevision {
            source_name: source.name.clone(),
            number: number.unwrap_or(0),
            newest: newest.map(|revision| revision.number),
        })
    }
}

impl Tx<'_> {
    /// Lets go of a revision. Sessions that stand on it keep their base.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_revision(&mut self, source: &Source, revision: &Revision) -> Result<(), Error> {
        self.execute("DELETE FROM revision WHERE source = ?1 AND number = ?2", (&source.id, revision.number))?;
        let details = json!({ "revision": revision.number, "root": revision.root.0.to_hex() });
        self.event("source.prune", ObjectType::Source, &source.id, &details)
    }

    /// Adds a revision to a source; returns its number.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the source is gone, or what SQLite says.
    pub fn create_revision(&mut self, source_id: &str, new: &NewRevision) -> Result<u64, Error> {
        let act = self.act();
        let sql = "UPDATE source SET next_revision = next_revision + 1, updated_ns = ?2
                   WHERE id = ?1 AND deleted_ns IS NULL RETURNING next_revision - 1";
        let number: Option<u64> = self.view().row(sql, (source_id, act.now_ns), |row| row.get(0))?;
        let number = number.ok_or_else(|| Error::NotFound { kind: ObjectType::Source, key: source_id.to_owned() })?;
        self.execute(
            "INSERT INTO revision (source, number, root, created_ns, actor, files, dirs, size_bytes, duration_ns,
                 left_out, origin_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            (
                source_id,
                number,
                &new.root.0.0[..],
                act.now_ns,
                &act.actor,
                new.files,
                new.dirs,
                new.size_bytes,
                new.duration_ns,
                json!(new.left_out).to_string(),
                &new.origin_version,
            ),
        )?;
        let details = json!({ "revision": number, "root": new.root.0.to_hex() });
        self.event("source.revision", ObjectType::Source, source_id, &details)?;
        Ok(number)
    }
}
