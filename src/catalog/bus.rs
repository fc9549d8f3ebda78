//! The bus: messages on topics, for whoever listens. A bounded tail of each session's is kept.
//!
//! Writers come one after the other and numbers only rise, so whoever has seen a number has seen all below it, and the
//! order of numbers is the order in which messages can be seen. A message is a record of its own, with its time and actor:
//! it is no operation and has no line in the history.

use std::collections::BTreeSet;

use rusqlite::{Row, TransactionBehavior};

use super::{Act, Catalog, Error, View, open, proof};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusMessage {
    /// Its number, rising over all sessions: a cursor.
    pub seq: i64,
    /// The id of the session.
    pub session: String,
    /// Its topic.
    pub topic: String,
    /// When it was published, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// By whom.
    pub actor: String,
    /// What it says.
    pub body: Vec<u8>,
}

/// How much of a session's messages is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusLimits {
    /// So many messages,
    pub messages: u64,
    /// and so many bytes in their bodies.
    pub size_bytes: u64,
}

/// Which messages are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusFilter {
    /// Those of this session.
    pub session: String,
    /// And those of the sessions that it was forked from and of its forks, however far.
    pub lineage: bool,
    /// Those whose topics match one of these; `*`, `?` and `[…]` are wildcards. All, if there are none.
    pub topics: Vec<String>,
}

/// What is kept of a session's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStats {
    /// How many.
    pub messages: u64,
    /// The bytes of their bodies.
    pub size_bytes: u64,
    /// The number of the newest one that is not kept any more; 0: all are.
    pub dropped: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<BusMessage> {
    Ok(BusMessage {
        seq: row.get(0)?,
        session: row.get(1)?,
        topic: row.get(2)?,
        time_ns: row.get(3)?,
        actor: row.get(4)?,
        body: row.get(5)?,
    })
}

/// What is read of one session at once.
const BATCH: i64 = 1000;

impl Catalog {
    /// Publishes messages of a session in this order; returns the number of the last one.
    ///
    /// # Errors
    /// What SQLite says. Then none was published.
    pub fn publish(
        &mut self,
        act: &Act,
        session_id: &str,
        messages: &[(String, Vec<u8>)],
        limits: BusLimits,
    ) -> Result<i64, Error> {
        let path = self.path.clone();
        let mut run = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut last = 0;
            {
                let sql = "INSERT INTO bus_message (session, topic, time_ns, actor, body) VALUES (?1, ?2, ?3, ?4, ?5)";
                let mut insert = transaction.prepare_cached(sql)?;
                for (topic, body) in messages {
                    insert.execute((session_id, topic, act.now_ns, &act.actor, body))?;
                    last = transaction.last_insert_rowid();
                }
            }
            let size: u64 = messages.iter().map(|(_, body)| body.len() as u64).sum();
            let sql = "INSERT INTO bus_tail (session, messages, size_bytes) VALUES (?1, ?2, ?3)
                       ON CONFLICT (session) DO UPDATE SET messages = messages + excluded.messages,
                           size_bytes = size_bytes + excluded.size_bytes";
            transaction.execute(sql, (session_id, messages.len() as u64, size))?;
            trim(&transaction, session_id, limits)?;
            let changes = proof::count(&transaction)?;
            transaction.commit()?;
            open::committed(&path, &self.connection, changes);
            Ok(last)
        };
        let last = run().map_err(|error| Error::sql(&path, error))?;
        open::tell(&path);
        Ok(last)
    }
}

/// Removes the oldest messages of a session until the tail is within its limits.
fn trim(connection: &rusqlite::Connection, session_id: &str, limits: BusLimits) -> rusqlite::Result<()> {
    let sql = "SELECT messages, size_bytes FROM bus_tail WHERE session = ?1";
    let (mut messages, mut size): (u64, u64) =
        connection.prepare_cached(sql)?.query_row([session_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if messages <= limits.messages && size <= limits.size_bytes {
        return Ok(());
    }
    let mut dropped = 0;
    {
        let sql = "SELECT seq, length(body) FROM bus_message WHERE session = ?1 ORDER BY seq";
        let mut statement = connection.prepare_cached(sql)?;
        let mut oldest = statement.query([session_id])?;
        while messages > limits.messages || size > limits.size_bytes {
            let Some(row) = oldest.next()? else { break };
            dropped = row.get(0)?;
            messages = messages.saturating_sub(1);
            size = size.saturating_sub(row.get(1)?);
        }
    }
    connection
        .prepare_cached("DELETE FROM bus_message WHERE session = ?1 AND seq <= ?2")?
        .execute((session_id, dropped))?;
    let sql = "UPDATE bus_tail SET messages = ?2, size_bytes = ?3, dropped = max(dropped, ?4) WHERE session = ?1";
    connection.prepare_cached(sql)?.execute((session_id, messages, size, dropped))?;
    Ok(())
}

impl View<'_> {
    /// Messages with numbers above `after` and up to `upto`, in their order; some of them, if there are many: then those
    /// with the lowest numbers, and the number up to which that is all.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn messages(&self, filter: &BusFilter, after: i64, upto: i64) -> Result<(Vec<BusMessage>, i64), Error> {
        let sql = "SELECT seq, session, topic, time_ns, actor, body FROM bus_message
                   WHERE session = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";
        let (mut found, mut all_upto) = (Vec::new(), upto);
        for session in self.bus_sessions(filter)? {
            let own = self.rows(sql, (&session, after, upto, BATCH), read)?;
            if let Some(last) = own.last().filter(|_| own.len() as i64 == BATCH) {
                all_upto = all_upto.min(last.seq);
            }
            found.extend(own);
        }
        found.sort_unstable_by_key(|message| message.seq);
        found.retain(|message| message.seq <= all_upto);
        self.keep_topics(filter, &mut found)?;
        Ok((found, all_upto))
    }

    /// The number from which on the newest `count` wanted messages are: all above it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn bus_cursor_before(&self, filter: &BusFilter, count: u64) -> Result<i64, Error> {
        let (mut newest, mut left) = (BTreeSet::new(), Vec::new());
        // Few if few are wanted, and more the further back one has to look for topics.
        let first = i64::try_from(count).unwrap_or(BATCH).clamp(1, BATCH);
        for session in self.bus_sessions(filter)? {
            left.push((session, i64::MAX, first));
        }
        let sql = "SELECT seq, session, topic, time_ns, actor, x'' FROM bus_message
                   WHERE session = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
        while let Some((session, before, batch)) = left.pop() {
            let mut own = self.rows(sql, (&session, before, batch), read)?;
            let last = own.last().filter(|_| own.len() as i64 == batch).map(|last| last.seq);
            self.keep_topics(filter, &mut own)?;
            newest.extend(own.iter().map(|message| message.seq));
            while newest.len() as u64 > count {
                newest.pop_first();
            }
            // Further back only as long as something there could be among the newest.
            let is_enough = newest.len() as u64 == count && newest.first().is_none_or(|first| Some(*first) > last);
            if let Some(last) = last.filter(|_| !is_enough) {
                left.push((session, last, (batch * 4).min(BATCH)));
            }
        }
        Ok(newest.first().map_or_else(|| self.newest_message().unwrap_or_default(), |first| first - 1))
    }

    /// The number of the newest message of all sessions; 0: none is kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_message(&self) -> Result<i64, Error> {
        let newest: Option<i64> = self.row("SELECT max(seq) FROM bus_message", [], |row| row.get(0))?.flatten();
        Ok(newest.unwrap_or_default())
    }

    /// What is kept of the messages of a session and, if they are wanted, of its relatives.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn bus_stats(&self, filter: &BusFilter) -> Result<BusStats, Error> {
        let sql = "SELECT messages, size_bytes, dropped FROM bus_tail WHERE session = ?1";
        let mut stats = BusStats::default();
        for session in self.bus_sessions(filter)? {
            let own: Option<(u64, u64, i64)> =
                self.row(sql, [&session], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            if let Some((messages, size_bytes, dropped)) = own {
                stats.messages += messages;
                stats.size_bytes += size_bytes;
                stats.dropped = stats.dropped.max(dropped);
            }
        }
        Ok(stats)
    }

    /// The sessions that are listened to. It is asked each time, because forks come and go.
    fn bus_sessions(&self, filter: &BusFilter) -> Result<Vec<String>, Error> {
        if !filter.lineage {
            return Ok(vec![filter.session.clone()]);
        }
        let sql = "WITH RECURSIVE up (id) AS (
                       SELECT ?1 UNION SELECT parent FROM session JOIN up USING (id) WHERE parent IS NOT NULL),
                   down (id) AS (
                       SELECT ?1 UNION SELECT session.id FROM session JOIN down ON session.parent = down.id)
                   SELECT id FROM up UNION ALL SELECT id FROM down WHERE id <> ?1";
        self.rows(sql, [&filter.session], |row| row.get(0))
    }

    /// Leaves those whose topics are wanted.
    fn keep_topics(&self, filter: &BusFilter, messages: &mut Vec<BusMessage>) -> Result<(), Error> {
        if filter.topics.is_empty() {
            return Ok(());
        }
        let mut known = std::collections::HashMap::new();
        for message in messages.iter() {
            if known.contains_key(&message.topic) {
                continue;
            }
            let mut is_wanted = false;
            for glob in &filter.topics {
                let matches = self.row("SELECT ?1 GLOB ?2", (&message.topic, glob), |row| row.get(0))?;
                is_wanted = is_wanted || matches.unwrap_or(false);
            }
            known.insert(message.topic.clone(), is_wanted);
        }
        messages.retain(|message| known.get(&message.topic).copied().unwrap_or_default());
        Ok(())
    }
}
