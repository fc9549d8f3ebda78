//! Letting go for good of what was in the trash for long enough.
//!
//! Only a collection of the store does this, with its lock held: everybody else who drops a reference to a tree leaves it
//! where [`View::roots`] finds it.

use serde_json::json;

use super::{Error, ObjectType, Tx, View};

/// What is gone for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sources: id and name.
    pub sources: Vec<(String, String)>,
    /// Sessions: id and name.
    pub sessions: Vec<(String, String)>,
    /// Operations that cannot be undone any more.
    pub operations: Vec<i64>,
}

impl Purged {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl View<'_> {
    /// What was in the trash before this time, in nanoseconds since the Unix epoch, and what could be undone from before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn expired(&self, before_ns: i64) -> Result<Purged, Error> {
        let deleted = |table: &str| {
            let sql = format!("SELECT id, name FROM {table} WHERE deleted_ns < ?1 ORDER BY id");
            self.rows(&sql, [before_ns], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let sql = "SELECT DISTINCT seq FROM operation JOIN undo_row ON seq = operation WHERE time_ns < ?1 ORDER BY seq";
        let operations = self.rows(sql, [before_ns], |row| row.get(0))?;
        Ok(Purged { sources: deleted("source")?, sessions: deleted("session")?, operations })
    }
}

impl Tx<'_> {
    /// Deletes what [`View::expired`] tells of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn purge(&mut self, before_ns: i64) -> Result<Purged, Error> {
        let purged = self.view().expired(before_ns)?;
        let kinds =
            [(ObjectType::Session, "session", &purged.sessions), (ObjectType::Source, "source", &purged.sources)];
        for (kind, table, rows) in kinds {
            for (id, name) in rows {
                self.execute("DELETE FROM tag WHERE object_id = ?1", [id])?;
                self.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [id])?;
                self.event(&format!("{table}.purge"), kind, id, &json!({ "name": name }))?;
            }
        }
        self.execute(
            "UPDATE operation SET gone = 'it was too long ago'
             WHERE time_ns < ?1 AND gone IS NULL AND seq IN (SELECT operation FROM undo_row)",
            [before_ns],
        )?;
        self.execute(
            "DELETE FROM undo_row WHERE operation IN (SELECT seq FROM operation WHERE time_ns < ?1)",
            [before_ns],
        )?;
        self.cannot_be_undone("it let go for good of what was deleted long ago")?;
        Ok(purged)
    }
}
