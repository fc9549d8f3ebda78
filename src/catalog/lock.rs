//! Locks: leases on paths of a source, shared by all of its sessions.
//!
//! A row whose time has come counts as not there; the next who acquires one removes it. Which locks are in each other's
//! way is not decided here.

use rusqlite::Row;
use serde_json::json;

use super::{Error, ObjectType, Tx, View};

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What its holder shows to renew or release it.
    pub token: String,
    /// The id of the source.
    pub source: String,
    /// The path or pattern as it was written.
    pub pattern: Vec<u8>,
    /// Whether wildcards in it are none.
    pub is_literal: bool,
    /// The id of the session that it was acquired in.
    pub session: String,
    /// Who holds it.
    pub actor: String,
    /// What for.
    pub message: String,
    /// Since when, in nanoseconds since the Unix epoch.
    pub acquired_ns: i64,
    /// Until when.
    pub expires_ns: i64,
}

/// A lease to be given.
#[derive(Clone, Debug)]
pub struct NewLock<'a> {
    /// The id of the source.
    pub source: &'a str,
    /// The path or pattern.
    pub pattern: &'a [u8],
    /// Whether wildcards in it are none.
    pub is_literal: bool,
    /// The id of the session.
    pub session: &'a str,
    /// What for.
    pub message: &'a str,
    /// Until when, in nanoseconds since the Unix epoch.
    pub expires_ns: i64,
}

const SELECT: &str =
    "SELECT token, source, pattern, is_literal, session, actor, message, acquired_ns, expires_ns FROM lock";

fn read(row: &Row<'_>) -> rusqlite::Result<Lock> {
    Ok(Lock {
        token: row.get(0)?,
        source: row.get(1)?,
        pattern: row.get(2)?,
        is_literal: row.get(3)?,
        session: row.get(4)?,
        actor: row.get(5)?,
        message: row.get(6)?,
        acquired_ns: row.get(7)?,
        expires_ns: row.get(8)?,
    })
}

impl View<'_> {
    /// The locks of a source, or of all, that hold at `now_ns`, the oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn locks(&self, source_id: Option<&str>, now_ns: i64) -> Result<Vec<Lock>, Error> {
        let order = "ORDER BY acquired_ns, token";
        match source_id {
            Some(id) => {
                self.rows(&format!("{SELECT} WHERE source = ?1 AND expires_ns > ?2 {order}"), (id, now_ns), read)
            }
            None => self.rows(&format!("{SELECT} WHERE expires_ns > ?1 {order}"), [now_ns], read),
        }
    }

    /// The lock of a token, if it holds at `now_ns`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lock(&self, token: &str, now_ns: i64) -> Result<Option<Lock>, Error> {
        self.row(&format!("{SELECT} WHERE token = ?1 AND expires_ns > ?2"), (token, now_ns), read)
    }
}

impl Tx<'_> {
    /// Gives a lease to whoever acts, with a line in the history.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create_lock(&mut self, new: &NewLock<'_>) -> Result<Lock, Error> {
        let act = self.act();
        let (now_ns, actor) = (act.now_ns, act.actor.clone());
        self.execute("DELETE FROM lock WHERE source = ?1 AND expires_ns <= ?2", (new.source, now_ns))?;
        let hash = blake3::keyed_hash(&act.seed, b"lock").to_hex();
        let lock = Lock {
            token: format!("k-{}", &hash.as_str()[..20]),
            source: new.source.into(),
            pattern: new.pattern.into(),
            is_literal: new.is_literal,
            session: new.session.into(),
            actor,
            message: new.message.into(),
            acquired_ns: now_ns,
            expires_ns: new.expires_ns,
        };
        let sql =
            "INSERT INTO lock (token, source, pattern, is_literal, session, actor, message, acquired_ns, expires_ns)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let (pattern, session) = (&lock.pattern, &lock.session);
        self.execute(
            sql,
            (
                &lock.token,
                &lock.source,
                pattern,
                lock.is_literal,
                session,
                &lock.actor,
                &lock.message,
                now_ns,
                lock.expires_ns,
            ),
        )?;
        self.lock_event("lock.acquire", &lock, json!({ "expires_ns": lock.expires_ns, "message": lock.message }))?;
        Ok(lock)
    }

    /// Moves the end of a lease, with a line in the history.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn renew_lock(&mut self, lock: &Lock, expires_ns: i64) -> Result<(), Error> {
        self.execute("UPDATE lock SET expires_ns = ?2 WHERE token = ?1", (&lock.token, expires_ns))?;
        self.lock_event("lock.renew", lock, json!({ "expires_ns": expires_ns, "was_expires_ns": lock.expires_ns }))
    }

    /// Ends a lease, with a line in the history: with a reason, if it was not its holder who did.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_lock(&mut self, lock: &Lock, reason: Option<&str>) -> Result<(), Error> {
        self.execute("DELETE FROM lock WHERE token = ?1", [&lock.token])?;
        match reason {
            Some(reason) => self.lock_event("lock.break", lock, json!({ "holder": lock.actor, "reason": reason })),
            None => self.lock_event("lock.release", lock, json!({ "holder": lock.actor })),
        }
    }

    fn lock_event(&self, what: &str, lock: &Lock, mut details: serde_json::Value) -> Result<(), Error> {
        details["path"] = json!(String::from_utf8_lossy(&lock.pattern));
        details["session"] = json!(lock.session);
        self.event(what, ObjectType::Source, &lock.source, &details)
    }
}
