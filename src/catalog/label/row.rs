//! Rows as labels have them.

use rusqlite::Row;
use rusqlite::types::Value as Sql;
use serde_json::{Map, Value};

use super::super::undo::{functions, sql};
use super::super::{Error, View};
use super::{RowName, TABLES};

/// The row of this name as it is now, as it stands in a line.
pub(super) fn of(view: &View<'_>, (table, key): RowName) -> Result<Value, Error> {
    let values: Vec<Value> = serde_json::from_str(&key)
        .map_err(|error| Error::Damaged { path: view.path.to_owned(), what: format!("the key of a row: {error}") })?;
    let columns = TABLES.iter().find(|(known, _)| *known == table).map_or(&[][..], |(_, columns)| *columns);
    let place = columns.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + 1));
    let query = format!("SELECT * FROM {table} WHERE {}", place.collect::<Vec<_>>().join(" AND "));
    let params: Vec<Sql> = values.iter().map(|value| sql(value).unwrap_or(Sql::Null)).collect();
    let found = view.row(&query, rusqlite::params_from_iter(params), image)?;
    entry(view, &table, Value::Array(values), found.map_or(Value::Null, Value::Object))
}

/// All rows of a table.
pub(super) fn all(view: &View<'_>, table: &str, key: &[&str]) -> Result<Vec<Value>, Error> {
    let rows = view.rows(&format!("SELECT * FROM {table} ORDER BY {}", key.join(", ")), [], image)?;
    let entry = |row: Map<String, Value>| {
        let values = key.iter().map(|column| row.get(*column).cloned().unwrap_or(Value::Null)).collect();
        entry(view, table, Value::Array(values), Value::Object(row))
    };
    rows.into_iter().map(entry).collect()
}

fn entry(view: &View<'_>, table: &str, key: Value, row: Value) -> Result<Value, Error> {
    let mut entry = vec![table.into(), key, row];
    if table == "session" {
        let id = entry[1].get(0).and_then(Value::as_str).and_then(|id| id.strip_prefix('t')).unwrap_or_default();
        let pins = "SELECT lower(hex(root)) FROM session_pin WHERE session = ?1 ORDER BY root";
        let pins = view.rows(pins, [id], |row| row.get::<_, String>(0))?;
        if !pins.is_empty() {
            entry.push(pins.into());
        }
    }
    Ok(Value::Array(entry))
}

/// A row by the names of its columns. What is NULL is left out: it is what a column is that is not named.
fn image(row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
    let mut image = Map::new();
    for (at, name) in row.as_ref().column_names().into_iter().enumerate() {
        let value = functions::json(row.get_ref(at)?);
        if !value.is_null() {
            image.insert(name.to_owned(), value);
        }
    }
    Ok(image)
}
