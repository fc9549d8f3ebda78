//! The history: one line for each thing that changed. Lines are added, never edited.

use rusqlite::Row;

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
    /// What kind of object it happened to.
    pub object_kind: String,
    /// The id of the object it happened to.
    pub object_id: String,
    /// More, as a JSON object.
    pub details: String,
    /// The command that did it.
    pub command: Option<String>,
    /// The command of `session run` that it happened in.
    pub via: Option<String>,
}

impl Tx<'_> {
    /// Adds a line to the history. `details` is a JSON object.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn event(&self, what: &str, kind: ObjectType, id: &str, details: &serde_json::Value) -> Result<(), Error> {
        self.event_of(what, kind.word(), id, details)
    }

    /// Removes the oldest lines, up to the first one of this time (in nanoseconds since the Unix epoch) or later; returns
    /// how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_events(&self, before_ns: i64) -> Result<u64, Error> {
        let count = self.view().old_events(before_ns)?;
        if count > 0 {
            self.execute(&format!("DELETE FROM event WHERE seq < ({FIRST_KEPT})"), [before_ns])?;
        }
        Ok(count)
    }

    /// Adds a line about the store as a whole.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn store_event(&self, what: &str, details: &serde_json::Value) -> Result<(), Error> {
        self.event_of(what, "store", "store", details)
    }

    /// Adds a line about an object whose kind is given as a word.
    pub(super) fn event_of(
        &self,
        what: &str,
        object_kind: &str,
        id: &str,
        details: &serde_json::Value,
    ) -> Result<(), Error> {
        let act = self.act();
        self.execute(
            "INSERT INTO event (operation, time_ns, actor, type, object_kind, object_id, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (self.operation(), act.now_ns, &act.actor, what, object_kind, id, details.to_string()),
        )?;
        Ok(())
    }
}

/// The first line that stays when those of before a time go. The newest one stays in any case, so that its number is not
/// given out again.
const FIRST_KEPT: &str =
    "SELECT min(ifnull((SELECT min(seq) FROM event WHERE time_ns >= ?1), max(seq)), max(seq)) FROM event";

/// The columns of a line.
pub(super) const SELECT: &str = "SELECT seq, operation, time_ns, actor, type, object_kind, object_id, details,
    (SELECT command FROM operation WHERE operation.seq = event.operation),
    (SELECT via FROM operation WHERE operation.seq = event.operation) FROM event";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        seq: row.get(0)?,
        operation: row.get(1)?,
        time_ns: row.get(2)?,
        actor: row.get(3)?,
        what: row.get(4)?,
        object_kind: row.get(5)?,
        object_id: row.get(6)?,
        details: row.get(7)?,
        command: row.get(8)?,
        via: row.get(9)?,
    })
}

impl View<'_> {
    /// How many lines [`Tx::prune_events`] would remove.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn old_events(&self, before_ns: i64) -> Result<u64, Error> {
        let sql = format!("SELECT count(*) FROM event WHERE seq < ({FIRST_KEPT})");
        Ok(self.row(&sql, [before_ns], |row| row.get(0))?.unwrap_or(0))
    }

    /// The number of the newest line; 0 if there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_event(&self) -> Result<i64, Error> {
        let newest: Option<i64> = self.row("SELECT max(seq) FROM event", [], |row| row.get(0))?.flatten();
        Ok(newest.unwrap_or(0))
    }

    /// The lines of one operation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events_of(&self, operation: i64) -> Result<Vec<Event>, Error> {
        let sql = format!(
            "{SELECT} WHERE time_ns = (SELECT time_ns FROM operation WHERE seq = ?1) AND operation = ?1 ORDER BY seq"
        );
        self.rows(&sql, [operation], read)
    }

    /// The name of the object that a line is about: the one that the line gives, else the one that it has now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn name_of(&self, event: &Event) -> Result<Option<String>, Error> {
        let details: serde_json::Value = serde_json::from_str(&event.details).unwrap_or_default();
        let key = if event.what.ends_with(".rename") { "to" } else { "name" };
        let is_checkpoint = event.object_kind == ObjectType::Checkpoint.word();
        if let Some(name) = details.get(key).and_then(|name| name.as_str()).filter(|_| !is_checkpoint) {
            return Ok(Some(name.to_owned()));
        }
        let Some(kind) = ObjectType::ALL.into_iter().find(|kind| kind.word() == event.object_kind) else {
            return Ok(None);
        };
        let sql = match kind {
            ObjectType::Checkpoint => "SELECT s.name || '@' || c.number FROM checkpoint AS c
                 JOIN session AS s ON s.id = c.session WHERE c.id = ?1"
                .to_owned(),
            _ => format!("SELECT {} FROM {} WHERE id = ?1", kind.label(), kind.table()),
        };
        self.row(&sql, [&event.object_id], |row| row.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base, Catalog};

    #[test]
    fn the_oldest_lines_go_and_the_newest_stays_in_any_case() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let act = |now_ns| Act { actor: "ann".into(), command: "test".into(), now_ns, seed: [now_ns as u8; 32] };
        // The clock goes back once: a line of before that stands behind newer ones stays with them.
        for time in [1, 2, 5, 3, 6] {
            let name = format!("s{time}");
            catalog.write::<_, Error>(&act(time), |tx| tx.create_session(&name, &Base::default(), None)).unwrap();
        }
        let times = |catalog: &Catalog| -> Vec<i64> {
            catalog
                .view()
                .events(&crate::catalog::EventFilter::default())
                .unwrap()
                .iter()
                .map(|event| event.time_ns)
                .collect()
        };
        assert_eq!(catalog.view().old_events(i64::MIN).unwrap(), 0);
        assert_eq!(catalog.write::<_, Error>(&act(9), |tx| tx.prune_events(4)).unwrap(), 2);
        assert_eq!(times(&catalog), [5, 3, 6]);
        let newest = catalog.view().newest_event().unwrap();
        assert_eq!(catalog.write::<_, Error>(&act(9), |tx| tx.prune_events(100)).unwrap(), 2);
        assert_eq!((times(&catalog), catalog.view().newest_event().unwrap()), (vec![6], newest));
        assert_eq!(catalog.write::<_, Error>(&act(9), |tx| tx.prune_events(100)).unwrap(), 0);
    }
}
