//! What an operation did to rows.

use std::collections::BTreeMap;

use rusqlite::types::Value as Sql;
use serde_json::{Map, Value};

use crate::model::{ObjectId, RootId};

use super::super::{Error, View};

/// Values of columns.
pub(in crate::catalog) type Image = Map<String, Value>;

/// What an operation did to one row, from before it to after it.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The table.
    pub table: String,
    /// The values of the primary key.
    pub key: Vec<Value>,
    /// The columns that changed, as they were; `None`: there was no row.
    pub before: Option<Image>,
    /// The columns that changed, as they became; `None`: there is no row.
    pub after: Option<Image>,
}

impl RowChange {
    /// The first value of the key: the id of an object, where the table has ids.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.key.first().and_then(text)
    }

    /// A column before and after; `None` where there was no row or the column did not change.
    #[must_use]
    pub fn column(&self, name: &str) -> (Option<&Value>, Option<&Value>) {
        (self.before.as_ref().and_then(|image| image.get(name)), self.after.as_ref().and_then(|image| image.get(name)))
    }

    /// Adds a later change of the same row.
    fn follow(&mut self, later: Self) {
        match (self.after.take(), later.after) {
            (Some(mut after), Some(more)) => {
                // Columns that changed for the first time are as they were before.
                if let Some(before) = &mut self.before {
                    for (name, value) in later.before.into_iter().flatten() {
                        before.entry(name).or_insert(value);
                    }
                }
                after.extend(more);
                self.after = Some(after);
            }
            (Some(_), None) => {
                if let (Some(before), Some(full)) = (&mut self.before, later.before) {
                    let changed = std::mem::replace(before, full);
                    before.extend(changed);
                }
            }
            (None, after) => self.after = after,
        }
    }

    fn is_nothing(&self) -> bool {
        self.before == self.after
    }
}

/// Text that a trigger wrote.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().and_then(|text| text.strip_prefix('t'))
}

/// A value as SQLite has it.
pub(in crate::catalog) fn sql(value: &Value) -> Option<Sql> {
    match value {
        Value::Null => Some(Sql::Null),
        Value::Number(number) => number.as_i64().map(Sql::Integer).or_else(|| number.as_f64().map(Sql::Real)),
        Value::String(word) if word.starts_with('t') => text(value).map(|text| Sql::Text(text.to_owned())),
        Value::String(word) => bytes(word.strip_prefix('x')?).map(Sql::Blob),
        _ => None,
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| u8::try_from(pair.first()? * 16 + pair.get(1)?).ok()).collect()
}

impl View<'_> {
    /// What an operation did to rows, one entry a row, in the order in which it came to them.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what SQLite says.
    pub fn row_changes(&self, operation: i64) -> Result<Vec<RowChange>, Error> {
        let sql = "SELECT table_name, key, before, after FROM undo_row WHERE operation = ?1 ORDER BY number";
        let rows: Vec<[Option<String>; 4]> =
            self.rows(sql, [operation], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
        let mut places = BTreeMap::new();
        let mut changes: Vec<RowChange> = Vec::new();
        for [table, key, before, after] in rows {
            let (table, key) = (table.unwrap_or_default(), key.unwrap_or_default());
            let image = |text: Option<String>| text.map(|text| self.json(&text)).transpose();
            let change =
                RowChange { table: table.clone(), key: self.json(&key)?, before: image(before)?, after: image(after)? };
            match places.get(&(table.clone(), key.clone())) {
                Some(&place) => {
                    let earlier: &mut RowChange = &mut changes[place];
                    earlier.follow(change);
                }
                None => {
                    places.insert((table, key), changes.len());
                    changes.push(change);
                }
            }
        }
        changes.retain(|change| !change.is_nothing());
        Ok(changes)
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T, Error> {
        serde_json::from_str(text)
            .map_err(|error| Error::Damaged { path: self.path.to_owned(), what: format!("an undo row: {error}") })
    }

    /// Every tree that undo or redo could bring back, with the newest operation that changed its row.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what SQLite says.
    pub fn undo_roots(&self) -> Result<BTreeMap<RootId, i64>, Error> {
        let sql = "SELECT before, after, operation FROM undo_row ORDER BY operation, number";
        let rows: Vec<([Option<String>; 2], i64)> =
            self.rows(sql, [], |row| Ok(([row.get(0)?, row.get(1)?], row.get(2)?)))?;
        let mut roots = BTreeMap::new();
        for (text, operation) in rows.into_iter().flat_map(|(images, seq)| images.map(|image| (image, seq))) {
            let Some(text) = text else { continue };
            for (name, value) in self.json::<Image>(&text)? {
                if name.contains("root")
                    && let Some(Sql::Blob(bytes)) = self::sql(&value)
                    && let Ok(hash) = <[u8; 32]>::try_from(bytes)
                {
                    roots.insert(RootId(ObjectId(hash)), operation);
                }
            }
        }
        Ok(roots)
    }
}
