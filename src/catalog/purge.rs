//! Letting go for good of what was in the trash, or could be undone, for long enough.

use super::{Error, ObjectType, Trashed, Tx, View};

/// What is gone for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// What left the trash.
    pub objects: Vec<Trashed>,
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
        let mut objects = self.trash()?;
        objects.retain(|found| found.deleted_ns < before_ns);
        // A source stays as long as a session that came from it.
        let sql = "SELECT base_source FROM session WHERE base_source IS NOT NULL AND ifnull(deleted_ns >= ?1, 1)";
        let used: Vec<String> = self.rows(sql, [before_ns], |row| row.get(0))?;
        objects.retain(|found| found.kind != ObjectType::Source || !used.contains(&found.id));
        let sql = "SELECT DISTINCT seq FROM operation JOIN undo_row ON seq = operation WHERE time_ns < ?1 ORDER BY seq";
        let operations = self.rows(sql, [before_ns], |row| row.get(0))?;
        Ok(Purged { objects, operations })
    }
}

impl Tx<'_> {
    /// Deletes what [`View::expired`] tells of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn purge_expired(&mut self, before_ns: i64) -> Result<Purged, Error> {
        let expired = self.view().expired(before_ns)?;
        // What only forgets how to undo is passed over by an undo itself.
        if !expired.objects.is_empty() {
            self.purge(&expired.objects)?;
        }
        if let Some(last) = expired.operations.last() {
            let details = serde_json::json!({ "count": expired.operations.len() });
            self.event_of("operation.forget", "operation", &last.to_string(), &details)?;
        }
        self.execute(
            "UPDATE operation SET gone = 'it was too long ago'
             WHERE time_ns < ?1 AND gone IS NULL AND seq IN (SELECT operation FROM undo_row)",
            [before_ns],
        )?;
        let sql = "DELETE FROM undo_row WHERE operation IN (SELECT seq FROM operation WHERE time_ns < ?1)";
        self.execute(sql, [before_ns])?;
        Ok(expired)
    }
}
