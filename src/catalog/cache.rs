//! Cache entries of sessions: bytes under a key, with a version that rises with every change.
//!
//! A version is never given out twice for a key, also when the entry went in between: so a writer that names the version
//! it has read can be sure of what it replaces. An entry that has expired counts as not there from that moment on,
//! whether its row is gone or not; rows that have expired go when somebody writes.

use rusqlite::Row;
use serde_json::json;

use super::{Error, ObjectType, Tx, View};

/// How many expired rows go at once, so that no writer waits long for others' leavings.
const SWEEP: i64 = 100;

/// An entry without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// Its key.
    pub key: String,
    /// How often it was changed, at least; above 0.
    pub version: u64,
    /// The length of its value.
    pub size_bytes: u64,
    /// When it was last set, in nanoseconds since the Unix epoch.
    pub updated_ns: i64,
    /// Who set it last.
    pub actor: String,
    /// From when on it counts as not there.
    pub expires_ns: Option<i64>,
}

/// Which entries of a session are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheFilter {
    /// Those whose keys begin with this.
    pub prefix: String,
    /// Those whose keys match this: `*`, `?` and `[…]` are wildcards.
    pub glob: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// What has to be so for a value to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheCondition {
    /// Nothing.
    Any,
    /// The entry has this version; 0: it is not there.
    Version(u64),
}

/// A value to be set.
#[derive(Clone, Copy, Debug)]
pub struct NewCacheValue<'a> {
    /// The key.
    pub key: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Their hash.
    pub hash: [u8; 32],
    /// From when on it counts as not there.
    pub expires_ns: Option<i64>,
    /// What has to be so.
    pub condition: CacheCondition,
}

/// How much a session's entries hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// How many there are.
    pub entries: u64,
    /// The bytes of their values, each counted.
    pub size_bytes: u64,
    /// Their bytes where equal values are counted once.
    pub stored_bytes: u64,
    /// How many will expire.
    pub expiring: u64,
}

const COLUMNS: &str = "key, version, size_bytes, updated_ns, actor, expires_ns";

/// Those of session ?1 that are there at ?2, from the key ?3 on and before ?4, that match ?5.
const WANTED: &str = "cache_entry.session = ?1 AND (expires_ns IS NULL OR expires_ns > ?2)
    AND key >= ?3 AND (?4 IS NULL OR key < ?4) AND (?5 IS NULL OR key GLOB ?5)";

fn read(row: &Row<'_>) -> rusqlite::Result<CacheEntry> {
    Ok(CacheEntry {
        key: row.get(0)?,
        version: row.get(1)?,
        size_bytes: row.get(2)?,
        updated_ns: row.get(3)?,
        actor: row.get(4)?,
        expires_ns: row.get(5)?,
    })
}

/// The first text that is behind all those with this prefix; `None`: there is none.
fn behind(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The numbers between are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

impl View<'_> {
    /// An entry that is there at `now_ns`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cache_entry(&self, session_id: &str, key: &str, now_ns: i64) -> Result<Option<CacheEntry>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM cache_entry WHERE session = ?1 AND key = ?2 AND (expires_ns IS NULL OR expires_ns > ?3)"
        );
        self.row(&sql, (session_id, key, now_ns), read)
    }

    /// An entry that is there at `now_ns`, with its value.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cache_value(
        &self,
        session_id: &str,
        key: &str,
        now_ns: i64,
    ) -> Result<Option<(CacheEntry, Vec<u8>)>, Error> {
        let sql = format!(
            "SELECT {COLUMNS}, bytes FROM cache_entry JOIN cache_value ON cache_value.id = cache_entry.value
             WHERE session = ?1 AND key = ?2 AND (expires_ns IS NULL OR expires_ns > ?3)"
        );
        self.row(&sql, (session_id, key, now_ns), |row| Ok((read(row)?, row.get(6)?)))
    }

    /// Entries of a session that are there at `now_ns`, by key.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cache_entries(&self, session_id: &str, filter: &CacheFilter, now_ns: i64) -> Result<Vec<CacheEntry>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM cache_entry WHERE {WANTED} ORDER BY key LIMIT ?6");
        let limit = filter.limit.map_or(-1, i64::from);
        let end = behind(&filter.prefix);
        self.rows(&sql, (session_id, now_ns, &filter.prefix, end, &filter.glob, limit), read)
    }

    /// Hands over entries of a session with their values, by key and one after the other, all of one moment.
    ///
    /// # Errors
    /// What SQLite or `each` says.
    pub fn cache_values<E: From<Error>>(
        &self,
        session_id: &str,
        filter: &CacheFilter,
        now_ns: i64,
        mut each: impl FnMut(&CacheEntry, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {COLUMNS}, bytes FROM cache_entry JOIN cache_value ON cache_value.id = cache_entry.value
             WHERE {WANTED} ORDER BY key LIMIT ?6"
        );
        let failed = |error| E::from(Error::sql(self.path, error));
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let limit = filter.limit.map_or(-1, i64::from);
        let end = behind(&filter.prefix);
        let params = (session_id, now_ns, &filter.prefix, end, &filter.glob, limit);
        let mut rows = statement.query(params).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let entry = read(row).map_err(failed)?;
            let bytes = row.get_ref(6).and_then(|value| Ok(value.as_blob()?)).map_err(failed)?;
            each(&entry, bytes)?;
        }
        Ok(())
    }

    /// How much the entries of a session hold that are there at `now_ns`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cache_stats(&self, session_id: &str, now_ns: i64) -> Result<CacheStats, Error> {
        let sql = "SELECT count(*), ifnull(sum(size_bytes), 0), count(expires_ns),
                (SELECT ifnull(sum(size_bytes), 0) FROM
                    (SELECT DISTINCT value, size_bytes FROM cache_entry
                     WHERE session = ?1 AND (expires_ns IS NULL OR expires_ns > ?2)))
             FROM cache_entry WHERE session = ?1 AND (expires_ns IS NULL OR expires_ns > ?2)";
        let read = |row: &Row<'_>| {
            Ok(CacheStats {
                entries: row.get(0)?,
                size_bytes: row.get(1)?,
                expiring: row.get(2)?,
                stored_bytes: row.get(3)?,
            })
        };
        Ok(self.row(sql, (session_id, now_ns), read)?.unwrap_or_default())
    }
}

/// What became of a value that was to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheSet {
    /// It was set.
    Done {
        /// The entry as it is now.
        entry: CacheEntry,
        /// The version before; 0: it was not there.
        was: u64,
    },
    /// The entry has another version than was asked for; 0: it is not there. Nothing was changed.
    Refused(u64),
}

impl Tx<'_> {
    /// Sets a value, with a line in the history.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_cache(&mut self, session_id: &str, new: &NewCacheValue<'_>) -> Result<CacheSet, Error> {
        let set = self.put_cache(session_id, new)?;
        if let CacheSet::Done { entry, was } = &set {
            let details = json!({
                "key": entry.key, "version": entry.version, "size_bytes": entry.size_bytes,
                "hash": blake3::Hash::from_bytes(new.hash).to_hex().as_str(), "expires_ns": entry.expires_ns,
                "was_version": was,
            });
            self.event("cache.set", ObjectType::Session, session_id, &details)?;
        }
        Ok(set)
    }

    /// Sets several values, with one line in the history; all of them, or none if one is refused. Then its key and the
    /// version that its entry has are returned.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn import_cache(
        &mut self,
        session_id: &str,
        new: &[NewCacheValue<'_>],
    ) -> Result<Result<(), (String, u64)>, Error> {
        for value in new {
            if let CacheSet::Refused(present) = self.put_cache(session_id, value)? {
                return Ok(Err((value.key.to_owned(), present)));
            }
        }
        if !new.is_empty() {
            let size: usize = new.iter().map(|value| value.bytes.len()).sum();
            let details = json!({ "entries": new.len(), "size_bytes": size });
            self.event("cache.import", ObjectType::Session, session_id, &details)?;
        }
        Ok(Ok(()))
    }

    fn put_cache(&mut self, session_id: &str, new: &NewCacheValue<'_>) -> Result<CacheSet, Error> {
        let (now, actor) = (self.act().now_ns, self.act().actor.clone());
        let sql = "SELECT version, expires_ns IS NOT NULL AND expires_ns <= ?3 FROM cache_entry
                   WHERE session = ?1 AND key = ?2";
        let row: Option<(u64, bool)> =
            self.view().row(sql, (session_id, new.key, now), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let present = row.filter(|(_, is_expired)| !is_expired).map_or(0, |(version, _)| version);
        if let CacheCondition::Version(wanted) = new.condition
            && wanted != present
        {
            return Ok(CacheSet::Refused(present));
        }
        let sql = "SELECT version FROM cache_floor WHERE session = ?1";
        let floor: Option<u64> = self.view().row(sql, [session_id], |row| row.get(0))?;
        let before = row.map_or_else(|| floor.unwrap_or(0), |(version, _)| version);
        let value = self.store_value(new)?;
        let entry = CacheEntry {
            key: new.key.to_owned(),
            version: before + 1,
            size_bytes: new.bytes.len() as u64,
            updated_ns: now,
            actor,
            expires_ns: new.expires_ns,
        };
        let sql = "INSERT INTO cache_entry (session, key, version, value, size_bytes, updated_ns, actor, expires_ns)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (session, key) DO UPDATE SET version = excluded.version, value = excluded.value,
                       size_bytes = excluded.size_bytes, updated_ns = excluded.updated_ns, actor = excluded.actor,
                       expires_ns = excluded.expires_ns";
        let (version, size) = (entry.version, entry.size_bytes);
        let params = (session_id, new.key, version, value, size, now, &entry.actor, entry.expires_ns);
        self.execute(sql, params)?;
        self.sweep_cache(now)?;
        Ok(CacheSet::Done { entry, was: present })
    }

    /// The row of a value; equal ones have one together.
    fn store_value(&self, new: &NewCacheValue<'_>) -> Result<i64, Error> {
        let sql = "SELECT id FROM cache_value WHERE hash = ?1";
        if let Some(id) = self.view().row(sql, [&new.hash[..]], |row| row.get(0))? {
            return Ok(id);
        }
        let sql = "INSERT INTO cache_value (hash, bytes) VALUES (?1, ?2)";
        self.execute(sql, (&new.hash[..], new.bytes))?;
        Ok(self.transaction.last_insert_rowid())
    }

    fn sweep_cache(&self, now_ns: i64) -> Result<(), Error> {
        let sql = "DELETE FROM cache_entry WHERE (session, key) IN
                   (SELECT session, key FROM cache_entry WHERE expires_ns <= ?1 LIMIT ?2)";
        self.execute(sql, (now_ns, SWEEP)).map(drop)
    }

    /// Removes an entry if `condition` holds, with a line in the history. Returns the version that it had, or `Err` with the
    /// one that it has; 0: it is not there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_cache(
        &mut self,
        session_id: &str,
        key: &str,
        condition: CacheCondition,
    ) -> Result<Result<u64, u64>, Error> {
        let now = self.act().now_ns;
        let present = self.view().cache_entry(session_id, key, now)?.map_or(0, |entry| entry.version);
        if present == 0 || matches!(condition, CacheCondition::Version(wanted) if wanted != present) {
            return Ok(Err(present));
        }
        self.execute("DELETE FROM cache_entry WHERE session = ?1 AND key = ?2", (session_id, key))?;
        let details = json!({ "key": key, "was_version": present });
        self.event("cache.delete", ObjectType::Session, session_id, &details)?;
        Ok(Ok(present))
    }

    /// Removes the entries whose keys begin with a text, with one line in the history; returns how many those were.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_cache_prefix(&mut self, session_id: &str, prefix: &str) -> Result<u64, Error> {
        let now = self.act().now_ns;
        let sql = format!("SELECT count(*) FROM cache_entry WHERE {WANTED}");
        let none: Option<String> = None;
        let end = behind(prefix);
        let count =
            self.view().row(&sql, (session_id, now, prefix, &end, &none), |row| row.get(0))?.unwrap_or_default();
        let sql = "DELETE FROM cache_entry WHERE session = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3)";
        self.execute(sql, (session_id, prefix, &end))?;
        if count > 0 {
            let details = json!({ "prefix": prefix, "entries": count });
            self.event("cache.delete", ObjectType::Session, session_id, &details)?;
        }
        Ok(count)
    }

    /// Gives a new session the entries of another one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn copy_cache(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let sql = "INSERT INTO cache_entry (session, key, version, value, size_bytes, updated_ns, actor, expires_ns)
                   SELECT ?2, key, version, value, size_bytes, updated_ns, actor, expires_ns FROM cache_entry
                   WHERE session = ?1 AND (expires_ns IS NULL OR expires_ns > ?3)";
        self.execute(sql, (from, to, self.act().now_ns))?;
        let sql = "INSERT INTO cache_floor (session, version) SELECT ?2, version FROM cache_floor WHERE session = ?1";
        self.execute(sql, (from, to)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_prefix() {
        assert_eq!(behind("a").as_deref(), Some("b"));
        assert_eq!(behind("").as_deref(), None);
        assert_eq!(behind("x\u{10ffff}").as_deref(), Some("y"));
        assert_eq!(behind("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert!("tests:größe" < behind("tests:").unwrap().as_str());
    }
}
