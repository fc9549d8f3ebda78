//! What the triggers of [`capture`](super::capture) call to write values down.
//!
//! They are functions of the program and not SQL: a trigger is read by each command that needs it, and as SQL it would be
//! several times as long.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

/// Makes the functions known to a connection.
pub(in crate::catalog) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let plain = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    let pure = plain | FunctionFlags::SQLITE_DETERMINISTIC;
    // Numbers that rise: a transaction is that of one connection, so they are the order of its changes.
    let last = AtomicI64::new(0);
    connection.create_scalar_function(
        "undo_number",
        0,
        plain,
        move |_| Ok(last.fetch_add(1, Ordering::Relaxed) + 1),
    )?;
    // (value, …): all of them, as a list.
    connection.create_scalar_function("undo_key", -1, pure, |found| {
        Ok(Value::Array((0..found.len()).map(|at| json(found.get_raw(at))).collect()).to_string())
    })?;
    // ('name,name…', value, …): all of them, as an object.
    connection.create_scalar_function("undo_image", -1, pure, |found| {
        let names: String = found.get(0)?;
        let image = names.split(',').zip(1..found.len()).map(|(name, at)| (name.to_owned(), json(found.get_raw(at))));
        Ok(Value::Object(image.collect()).to_string())
    })?;
    // ('name,name…', old, new, …): whether they differ. Those that do are kept for the two functions below.
    let kept = Arc::new(Mutex::new((String::new(), String::new())));
    let (before, after) = (Arc::clone(&kept), Arc::clone(&kept));
    connection.create_scalar_function("undo_differ", -1, plain, move |found| {
        let names: String = found.get(0)?;
        let (mut old, mut new) = (Map::new(), Map::new());
        for (name, at) in names.split(',').zip((1..found.len()).step_by(2)) {
            if found.get_raw(at) != found.get_raw(at + 1) {
                old.insert(name.to_owned(), json(found.get_raw(at)));
                new.insert(name.to_owned(), json(found.get_raw(at + 1)));
            }
        }
        let differ = !old.is_empty();
        *kept.lock() = (Value::Object(old).to_string(), Value::Object(new).to_string());
        Ok(differ)
    })?;
    connection.create_scalar_function("undo_before", 0, plain, move |_| Ok(before.lock().0.clone()))?;
    connection.create_scalar_function("undo_after", 0, plain, move |_| Ok(after.lock().1.clone()))
}

/// Numbers and NULL as they are, text with a `t` in front, bytes in hexadecimal with an `x` in front: what
/// [`capture::value`](super::capture::value) makes in SQL.
pub(in crate::catalog) fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => format!("t{}", String::from_utf8_lossy(text)).into(),
        ValueRef::Blob(bytes) => {
            let mut hex = String::with_capacity(1 + 2 * bytes.len());
            hex.push('x');
            for byte in bytes {
                let _ = write!(hex, "{byte:02X}");
            }
            hex.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::undo::capture::value;

    #[test]
    fn values_are_written_as_sql_writes_them() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE row (a, b, c, d, e);
                INSERT INTO row VALUES (NULL, -7, 2.5, 'größe \"x\"', x'00ff1a');",
            )
            .unwrap();
        let columns = ["a", "b", "c", "d", "e"];
        let sql: Vec<_> = columns.iter().map(|name| format!("'{name}', {}", value("row", name))).collect();
        let own: Vec<_> = columns.iter().map(|name| format!("row.{name}")).collect();
        let read = |sql: &str| -> Value {
            let text: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let image = read(&format!("SELECT undo_image('{}', {}) FROM row", columns.join(","), own.join(", ")));
        assert_eq!(image, read(&format!("SELECT json_object({}) FROM row", sql.join(", "))));
        assert_eq!(read("SELECT undo_key(b, d) FROM row"), serde_json::json!([-7, "tgröße \"x\""]));
        let changed = "undo_differ('a,b,d', a, NULL, b, -8, d, x'00')";
        let noted = |function: &str| read(&format!("SELECT {function}() FROM row WHERE {changed}"));
        assert_eq!(noted("undo_before"), serde_json::json!({ "b": -7, "d": "tgröße \"x\"" }));
        assert_eq!(noted("undo_after"), serde_json::json!({ "b": -8, "d": "x00" }));
        let same: bool =
            connection.query_row("SELECT undo_differ('a', a, NULL) FROM row", [], |row| row.get(0)).unwrap();
        assert!(!same);
    }
}
