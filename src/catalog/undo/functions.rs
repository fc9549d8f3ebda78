//! What the triggers of [`capture`](super::capture) call to write values down.
//!
//! They are functions of the program and not SQL, because every command reads the whole schema: as SQL the triggers were
//! 75 KB of text, and reading them took most of the time of a small command.

use std::fmt::Write;

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

/// Makes the functions known to a connection.
pub(in crate::catalog) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    // (value, …): all of them, as a list.
    connection.create_scalar_function("undo_key", -1, flags, |found| {
        Ok(Value::Array((0..found.len()).map(|at| json(found.get_raw(at))).collect()).to_string())
    })?;
    // (name, value, …): all of them.
    connection.create_scalar_function("undo_image", -1, flags, |found| object(found, 2, |_| Some(1)))?;
    // (name, old, new, …): those that changed, as they were and as they are.
    connection.create_scalar_function("undo_old", -1, flags, |found| {
        object(found, 3, |at| differs(found, at).then_some(1))
    })?;
    connection
        .create_scalar_function("undo_new", -1, flags, |found| object(found, 3, |at| differs(found, at).then_some(2)))
}

fn differs(found: &Context<'_>, at: usize) -> bool {
    found.get_raw(at + 1) != found.get_raw(at + 2)
}

/// An object of groups of arguments that begin with a name; `choose` says which of a group is its value.
fn object(found: &Context<'_>, group: usize, choose: impl Fn(usize) -> Option<usize>) -> rusqlite::Result<String> {
    let mut image = Map::new();
    for at in (0..found.len()).step_by(group) {
        if let Some(value) = choose(at) {
            image.insert(found.get(at)?, json(found.get_raw(at + value)));
        }
    }
    Ok(Value::Object(image).to_string())
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
        let own: Vec<_> = columns.iter().map(|name| format!("'{name}', row.{name}")).collect();
        let read = |sql: &str| -> Value {
            let text: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let image = read(&format!("SELECT undo_image({}) FROM row", own.join(", ")));
        assert_eq!(image, read(&format!("SELECT json_object({}) FROM row", sql.join(", "))));
        assert_eq!(read("SELECT undo_key(b, d) FROM row"), serde_json::json!([-7, "tgröße \"x\""]));
        let changed = "'a', a, NULL, 'b', b, -8, 'd', d, x'00'";
        assert_eq!(
            read(&format!("SELECT undo_old({changed}) FROM row")),
            serde_json::json!({ "b": -7, "d": "tgröße \"x\"" })
        );
        assert_eq!(read(&format!("SELECT undo_new({changed}) FROM row")), serde_json::json!({ "b": -8, "d": "x00" }));
    }
}
