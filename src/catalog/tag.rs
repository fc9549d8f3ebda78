//! Tags: `key=value` on a source or a session.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Error, ObjectType, Tx, View};

impl Tx<'_> {
    /// Sets a tag of an object, with a line in the history, unless it has it already.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tag(&self, kind: ObjectType, id: &str, key: &str, value: &str) -> Result<(), Error> {
        let was = self.view().tags(id)?.remove(key);
        if was.as_deref() == Some(value) {
            return Ok(());
        }
        self.set_tag(id, key, value)?;
        self.event(&format!("{kind}.tag"), kind, id, &json!({ "key": key, "value": value, "was": was }))
    }

    /// Removes a tag of an object, with a line in the history; says whether it was there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn untag(&self, kind: ObjectType, id: &str, key: &str) -> Result<bool, Error> {
        let Some(was) = self.view().tags(id)?.remove(key) else { return Ok(false) };
        self.unset_tag(id, key)?;
        self.event(&format!("{kind}.untag"), kind, id, &json!({ "key": key, "was": was }))?;
        Ok(true)
    }

    /// Sets a tag, replacing the value it had.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_tag(&self, object_id: &str, key: &str, value: &str) -> Result<(), Error> {
        let sql = "INSERT INTO tag (object_id, key, value) VALUES (?1, ?2, ?3)
                   ON CONFLICT (object_id, key) DO UPDATE SET value = excluded.value";
        self.execute(sql, (object_id, key, value)).map(|_| ())
    }

    /// Removes a tag; says whether it was there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unset_tag(&self, object_id: &str, key: &str) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM tag WHERE object_id = ?1 AND key = ?2", (object_id, key))? > 0)
    }
}

impl View<'_> {
    /// The tags of one object.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tags(&self, object_id: &str) -> Result<BTreeMap<String, String>, Error> {
        let sql = "SELECT key, value FROM tag WHERE object_id = ?1";
        Ok(self.rows(sql, [object_id], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
    }

    /// The tags of all objects: object, key, value.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all_tags(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
        let rows = self.rows("SELECT object_id, key, value FROM tag", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
        })?;
        let mut all = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (object, key, value) in rows {
            all.entry(object).or_default().insert(key, value);
        }
        Ok(all)
    }
}
