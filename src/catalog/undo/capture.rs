//! Triggers that write down every change of a row, so that it can be reversed.
//!
//! They are made from the schema as it is, for every table but those of [`IGNORED`], whenever the format changes: a
//! new table or column needs no thought. A value is kept as JSON: numbers and NULL as they are, text with a `t` in
//! front, bytes in hexadecimal with an `x` in front; [`functions`](super::functions) write it down.

use rusqlite::Connection;

/// Tables that are not undone: the history itself, where a session's files are, what others heard,
/// read or got by now, and what a collection notes.
const IGNORED: &[&str] = &[
    "bus_message",
    "bus_tail",
    "cache_entry",
    "cache_floor",
    "cache_value",
    "collection",
    "dropped_root",
    "event",
    "health",
    "lock",
    "meta",
    "operation",
    "session_pin",
    "undo_row",
];

/// Columns that say where a session's files are, which undo does not move.
const PHYSICAL: &[(&str, &str)] = &[("session", "base_root"), ("session", "delta")];

/// What the names of our triggers begin with.
const PREFIX: &str = "undo_";

/// A table as the triggers see it.
#[derive(Debug)]
pub(in crate::catalog) struct Table {
    pub name: String,
    /// Every column, in order.
    pub columns: Vec<String>,
    /// Those of the primary key, in its order.
    pub key: Vec<String>,
}

impl Table {
    /// Whether rows of this table go to the trash.
    pub fn has_trash(&self) -> bool {
        self.columns.iter().any(|column| column == "deleted_ns")
    }

    fn captured(&self) -> impl Iterator<Item = &str> {
        let is_physical = |column: &str| PHYSICAL.contains(&(self.name.as_str(), column));
        self.columns.iter().map(String::as_str).filter(move |column| !is_physical(column))
    }
}

/// A table, unless there is none of that name.
pub(in crate::catalog) fn table(connection: &Connection, name: &str) -> rusqlite::Result<Option<Table>> {
    let mut statement = connection.prepare_cached("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let columns: Vec<(String, i64)> =
        statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut key: Vec<_> = columns.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    let key = key.into_iter().map(|(name, _)| name.clone()).collect();
    Ok(Some(Table { name: name.to_owned(), columns: columns.into_iter().map(|(name, _)| name).collect(), key }))
}

/// The tables whose changes are captured.
pub(in crate::catalog) fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let names = names.into_iter().filter(|name| !IGNORED.contains(&name.as_str()));
    Ok(names.map(|name| table(connection, &name)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Takes all triggers away, as before a change of the schema.
pub(in crate::catalog) fn remove(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| name.starts_with(PREFIX)) {
        connection.execute_batch(&format!("DROP TRIGGER \"{name}\""))?;
    }
    Ok(())
}

/// Makes the triggers of every table.
pub(in crate::catalog) fn install(connection: &Connection) -> rusqlite::Result<()> {
    if table(connection, "undo_row")?.is_none() {
        return Ok(());
    }
    for table in tables(connection)? {
        connection.execute_batch(&triggers(&table))?;
    }
    Ok(())
}

/// Each column stands there as often as its values are needed, and no more: every command reads the whole schema.
fn triggers(table: &Table) -> String {
    let name = &table.name;
    let names = table.captured().collect::<Vec<_>>().join(",");
    let key = |row: &str| format!("undo_key({})", list(table.key.iter().map(|column| format!("{row}.\"{column}\""))));
    let image = |row: &str| {
        format!("undo_image('{names}',{})", list(table.captured().map(|column| format!("{row}.\"{column}\""))))
    };
    let both = list(table.captured().map(|column| format!("OLD.\"{column}\",NEW.\"{column}\"")));
    let write = format!("INSERT INTO undo_row SELECT NULL,(SELECT max(seq) FROM operation),'{name}'");
    // What differs is noted by the condition, which is looked at before the rest.
    format!(
        "CREATE TRIGGER {PREFIX}{name}_insert AFTER INSERT ON {name} BEGIN {write},{},NULL,{}; END;
        CREATE TRIGGER {PREFIX}{name}_delete AFTER DELETE ON {name} BEGIN {write},{},{},NULL; END;
        CREATE TRIGGER {PREFIX}{name}_update AFTER UPDATE ON {name} BEGIN
            {write},{},undo_before(),undo_after() WHERE undo_differ('{names}',{both});
        END;",
        key("NEW"),
        image("NEW"),
        key("OLD"),
        image("OLD"),
        key("NEW"),
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(",")
}

/// A value as it stands in the JSON.
pub(in crate::catalog) fn value(row: &str, column: &str) -> String {
    let value = format!("{row}.\"{column}\"");
    format!(
        "CASE typeof({value}) WHEN 'text' THEN 't' || {value} WHEN 'blob' THEN 'x' || hex({value}) ELSE {value} END"
    )
}
