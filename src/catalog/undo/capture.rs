//! Triggers that write down every change of a row, so that it can be reversed.
//!
//! They are made from the schema as it is, for every table but those of [`IGNORED`]: a new table or column needs no
//! thought. A value is kept as JSON: numbers and NULL as they are, text with a `t` in front, bytes in hexadecimal with an
//! `x` in front; [`functions`] write it down.
//!
//! They are temporary ones of a connection, each made when a statement needs it: in the schema they would be read by
//! every command, also by those that change nothing, and reading them took longer than all else that a small command
//! does. Which ones a statement needs is said by SQLite itself when it prepares the statement
//! (<https://sqlite.org/c3ref/set_authorizer.html>), also of rows that go or change with others by foreign keys. What is
//! prepared in a way of its own cannot slip through: what a transaction changed without a trigger fails it.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{CachedStatement, Connection};

use super::functions;

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

/// How a row changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Insert,
    Update,
    Delete,
}

/// A table and the way in which its rows change.
type Change = (String, Way);

/// What is noted of the changes of one connection.
#[derive(Debug, Default)]
pub(in crate::catalog) struct Capture {
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    /// Whether the connection tells what statements change.
    is_told: bool,
    /// What there are triggers for.
    made: BTreeSet<Change>,
    /// What there are none for, and a statement needs.
    missing: BTreeSet<Change>,
    /// The same, of a statement that was not prepared here.
    escaped: BTreeSet<Change>,
}

impl Notes {
    /// What is missing now, nobody has made.
    fn escape(&mut self) {
        let missing = std::mem::take(&mut self.missing);
        self.escaped.extend(missing);
    }
}

impl Capture {
    /// Has changes noted from now on. To be called before a transaction begins.
    pub fn begin(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut notes = self.notes.lock();
        notes.missing.clear();
        notes.escaped.clear();
        if notes.is_told {
            return Ok(());
        }
        functions::register(connection)?;
        // A few rows that say what the triggers are: no file is made for them.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let told = Arc::clone(&self.notes);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if let Some(change) = captured(&context.action) {
                let mut notes = told.lock();
                if !notes.made.contains(&change) {
                    notes.missing.insert(change);
                }
            }
            Authorization::Allow
        }))?;
        notes.is_told = true;
        Ok(())
    }

    /// Prepares a statement, and has what it changes noted.
    pub fn prepare<'c>(&self, connection: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.notes.lock().escape();
        let statement = connection.prepare_cached(sql)?;
        let missing = std::mem::take(&mut self.notes.lock().missing);
        if missing.is_empty() {
            return Ok(statement);
        }
        // It knows nothing of triggers that come now.
        statement.discard();
        self.make(connection, missing)?;
        connection.prepare_cached(sql)
    }

    /// Has every change of every table noted, for statements that are not prepared one by one.
    pub fn all(&self, connection: &Connection) -> rusqlite::Result<()> {
        let ways = |table: Table| [Way::Insert, Way::Update, Way::Delete].map(|way| (table.name.clone(), way));
        let missing = tables(connection)?.into_iter().flat_map(ways).collect();
        self.make(connection, missing)
    }

    fn make(&self, connection: &Connection, missing: BTreeSet<Change>) -> rusqlite::Result<()> {
        for (name, way) in missing {
            if let Some(table) = table(connection, &name)? {
                connection.execute_batch(&trigger(&table, way))?;
            }
            self.notes.lock().made.insert((name, way));
        }
        Ok(())
    }

    /// What was changed, or is about to be, and not noted.
    pub fn missed(&self) -> Option<String> {
        let mut notes = self.notes.lock();
        notes.escape();
        notes.escaped.first().map(|(table, way)| format!("{way:?} of `{table}` was not noted for undo"))
    }

    /// The transaction came to nothing, and the triggers that were made in it went with it.
    pub fn rolled_back(&self, connection: &Connection) {
        // They would run without their triggers, and tell of it too late.
        connection.flush_prepared_statement_cache();
        self.notes.lock().made.clear();
    }
}

/// What an action that a statement needs changes, if that is to be noted.
fn captured(action: &AuthAction<'_>) -> Option<Change> {
    let (table, way) = match *action {
        AuthAction::Insert { table_name } => (table_name, Way::Insert),
        AuthAction::Update { table_name, column_name } if !PHYSICAL.contains(&(table_name, column_name)) => {
            (table_name, Way::Update)
        }
        AuthAction::Delete { table_name } => (table_name, Way::Delete),
        _ => return None,
    };
    let is_captured = !table.starts_with("sqlite_") && !IGNORED.contains(&table);
    is_captured.then(|| (table.to_owned(), way))
}

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

/// Takes away the triggers that catalogs of formats up to 18 have in their schema.
pub(in crate::catalog) fn remove(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| name.starts_with(PREFIX)) {
        connection.execute_batch(&format!("DROP TRIGGER \"{name}\""))?;
    }
    Ok(())
}

/// The trigger of a table for one way in which its rows change.
fn trigger(table: &Table, way: Way) -> String {
    let name = &table.name;
    let names = table.captured().collect::<Vec<_>>().join(",");
    let key = |row: &str| format!("undo_key({})", list(table.key.iter().map(|column| format!("{row}.\"{column}\""))));
    let image = |row: &str| {
        format!("undo_image('{names}',{})", list(table.captured().map(|column| format!("{row}.\"{column}\""))))
    };
    let both = || list(table.captured().map(|column| format!("OLD.\"{column}\",NEW.\"{column}\"")));
    let (event, noted) = match way {
        Way::Insert => ("INSERT", format!("{},NULL,{}", key("NEW"), image("NEW"))),
        Way::Delete => ("DELETE", format!("{},{},NULL", key("OLD"), image("OLD"))),
        // What differs is noted by the condition, which is looked at before the rest.
        Way::Update => {
            ("UPDATE", format!("{},undo_before(),undo_after() WHERE undo_differ('{names}',{})", key("NEW"), both()))
        }
    };
    format!(
        "CREATE TEMP TRIGGER IF NOT EXISTS {PREFIX}{name}_{event} AFTER {event} ON main.{name} BEGIN
            INSERT INTO undo_row SELECT (SELECT max(seq) FROM operation),undo_number(),'{name}',{noted};
        END;"
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
