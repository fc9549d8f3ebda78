//! The history: one line for each thing that changed. Lines are added, never edited.

use super::{Error, ObjectType, Tx, View};

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, rising.
    pub seq: i64,
    /// The operation it belongs to.
    pub operation: i64,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Who did it.
    pub actor: String,
    /// What happened, as `object.verb`.
    pub what: String,
    /// The id of the object it happened to.
    pub object_id: String,
    /// More, as a JSON object.
    pub details: String,
}

impl Tx<'_> {
    /// Adds a line to the history. `details` is a JSON object.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn event(&self, what: &str, kind: ObjectType, id: &str, details: &serde_json::Value) -> Result<(), Error> {
        let act = self.act();
        self.execute(
            "INSERT INTO event (operation, time_ns, actor, type, object_kind, object_id, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (self.operation(), act.now_ns, &act.actor, what, kind.word(), id, details.to_string()),
        )?;
        Ok(())
    }
}

impl View<'_> {
    /// The history after a line, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, after: i64, limit: u32) -> Result<Vec<Event>, Error> {
        let sql = "SELECT seq, operation, time_ns, actor, type, object_id, details FROM event
                   WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.rows(sql, (after, limit), |row| {
            Ok(Event {
                seq: row.get(0)?,
                operation: row.get(1)?,
                time_ns: row.get(2)?,
                actor: row.get(3)?,
                what: row.get(4)?,
                object_id: row.get(5)?,
                details: row.get(6)?,
            })
        })
    }
}
