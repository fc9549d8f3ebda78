//! Looking into the history: which lines are wanted, and by which index they are found.
//!
//! The history may have millions of lines, so each question has an index, and the question is written so that it is used.

use rusqlite::types::Value;
use rusqlite::{TransactionBehavior, params_from_iter};
use serde_json::json;

use super::event::{Event, SELECT, read};
use super::{Catalog, Error, ObjectType, Tx, View, open, proof};

/// How many lines are removed in one transaction, so that others can write in between.
const PORTION: i64 = 5000;

/// How a line is about an object: it is the object, or it is what a session has.
const ITSELF: &str = "object_id = ?";
const OF_SESSION: &str = "object_kind <> 'session' AND json_extract(details, '$.session') IS NOT NULL
    AND json_extract(details, '$.session') = ?";

/// Which lines of the history are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only lines after this one.
    pub after: i64,
    /// Only lines of this time and later, in nanoseconds since the Unix epoch.
    pub since_ns: Option<i64>,
    /// Only lines before this time.
    pub until_ns: Option<i64>,
    /// Only this type; `*` stands for anything, as in `session.*`.
    pub what: Option<String>,
    /// Only lines about the object of this id; of a session also those about what it has, such as checkpoints and notes.
    pub object_id: Option<String>,
    /// Only lines of this operation.
    pub operation: Option<i64>,
    /// At most so many. The newest of them, unless something says where to begin.
    pub limit: Option<u32>,
    /// Begin with the oldest, in strict order of the numbers.
    pub from_oldest: bool,
}

impl EventFilter {
    /// Whether the end of the history is what a limit leaves.
    fn wants_newest(&self) -> bool {
        self.after == 0 && self.since_ns.is_none() && !self.from_oldest
    }

    /// Whether lines of one object or operation are wanted, which are few.
    fn is_narrow(&self) -> bool {
        self.object_id.is_some() || self.operation.is_some()
    }

    /// The question for lines of one type, or of any; `about` says how they are to be about the object.
    fn query(&self, what: Option<&str>, about: &'static str) -> (String, Vec<Value>) {
        let mut conditions = vec!["1"];
        let mut values = Vec::new();
        let mut add = |condition, value| {
            conditions.push(condition);
            values.push(value);
        };
        // A plus in front of a column keeps its index out of it.
        let has_cursor = self.after > 0 || self.from_oldest;
        let by_time = !self.is_narrow() && !has_cursor && (self.since_ns.is_some() || self.until_ns.is_some());
        if let Some(id) = &self.object_id {
            add(about, Value::from(id.clone()));
        }
        if let Some(operation) = self.operation {
            add("time_ns = (SELECT time_ns FROM operation WHERE seq = ?)", operation.into());
            add("operation = ?", operation.into());
        }
        match what {
            Some(what) if self.is_narrow() => add("+type GLOB ?", Value::from(what.to_owned())),
            Some(what) => add("type = ?", Value::from(what.to_owned())),
            None => {}
        }
        if self.after > 0 {
            add("seq > ?", self.after.into());
        }
        if let Some(since) = self.since_ns {
            add(if by_time { "time_ns >= ?" } else { "+time_ns >= ?" }, since.into());
        }
        if let Some(until) = self.until_ns {
            add(if by_time { "time_ns < ?" } else { "+time_ns < ?" }, until.into());
        }
        values.push(self.limit.map_or(-1, i64::from).into());
        let direction = if self.wants_newest() { "DESC" } else { "ASC" };
        let order = match by_time {
            true => format!("time_ns {direction}, seq {direction}"),
            false => format!("seq {direction}"),
        };
        (format!("{SELECT} WHERE {} ORDER BY {order} LIMIT ?", conditions.join(" AND ")), values)
    }
}

impl View<'_> {
    /// Lines of the history, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, Error> {
        let types = match &filter.what {
            Some(glob) if !filter.is_narrow() => self.types_like(glob)?.into_iter().map(Some).collect(),
            what => vec![what.clone()],
        };
        let is_session = filter.object_id.as_ref().is_some_and(|id| id.starts_with(ObjectType::Session.letter()));
        let abouts = if is_session { &[ITSELF, OF_SESSION][..] } else { &[ITSELF] };
        let mut found = Vec::new();
        for what in &types {
            for about in abouts {
                let (sql, values) = filter.query(what.as_deref(), about);
                found.extend(self.rows(&sql, params_from_iter(values), read)?);
            }
        }
        found.sort_unstable_by_key(|event| event.seq);
        if let Some(limit) = filter.limit.map(|limit| limit as usize).filter(|limit| *limit < found.len()) {
            let skipped = if filter.wants_newest() { found.len() - limit } else { 0 };
            found = found.into_iter().skip(skipped).take(limit).collect();
        }
        Ok(found)
    }

    /// The types there are that match a pattern. They are few, and found by as many looks into the index.
    fn types_like(&self, glob: &str) -> Result<Vec<String>, Error> {
        if !glob.contains(['*', '?', '[']) {
            return Ok(vec![glob.to_owned()]);
        }
        let sql = "WITH RECURSIVE known (type) AS (
                       SELECT min(type) FROM event
                       UNION ALL SELECT (SELECT min(type) FROM event WHERE type > known.type) FROM known
                       WHERE known.type IS NOT NULL)
                   SELECT type FROM known WHERE type GLOB ?1";
        self.rows(sql, [glob], |row| row.get(0))
    }

    /// The number up to which all lines are from before a time, in nanoseconds since the Unix epoch; 0: none are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events_before(&self, time_ns: i64) -> Result<i64, Error> {
        let first: Option<i64> =
            self.row("SELECT min(seq) FROM event WHERE time_ns >= ?1", [time_ns], |row| row.get(0))?.flatten();
        first.map_or_else(|| self.newest_event(), |first| Ok(first - 1))
    }

    /// The number up to which all lines but the newest `keep` are; 0: there are no more than these.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events_but(&self, keep: u64) -> Result<i64, Error> {
        let sql = "SELECT seq FROM event ORDER BY seq DESC LIMIT 1 OFFSET ?1";
        Ok(self.row(sql, [keep], |row| row.get(0))?.unwrap_or_default())
    }

    /// How many lines there are up to this number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events_upto(&self, seq: i64) -> Result<u64, Error> {
        let count = self.row("SELECT count(*) FROM event WHERE seq <= ?1", [seq], |row| row.get(0))?;
        Ok(count.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Notes that the lines up to this number are about to go.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_prune(&self, upto: i64, events: u64) -> Result<(), Error> {
        self.event_of("event.prune", "event", &upto.to_string(), &json!({ "upto": upto, "events": events }))
    }
}

impl Catalog {
    /// Removes the oldest lines, up to this number, a portion at a time. Cut short, it has removed some of the oldest.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_events(&mut self, upto: i64) -> Result<(), Error> {
        let path = self.path.clone();
        let mut portion = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sql = "SELECT max(seq) FROM (SELECT seq FROM event WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";
            let last: Option<i64> = transaction.query_row(sql, (upto, PORTION), |row| row.get(0))?;
            if let Some(last) = last {
                transaction.execute("DELETE FROM event WHERE seq <= ?1", [last])?;
            }
            let changes = proof::count(&transaction)?;
            transaction.commit()?;
            open::committed(&path, &self.connection, changes);
            Ok(last.is_some())
        };
        while portion().map_err(|error| Error::sql(&path, error))? {}
        Ok(())
    }
}
