//! The operation log: one row a command that changed the catalog.

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::Value;

use super::{Act, Error, Tx, View};

/// Whether an operation is a command, or reverses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A command.
    Command,
    /// The undo of one.
    Undo,
    /// The redo of one.
    Redo,
}

impl OperationKind {
    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Undo => "undo",
            Self::Redo => "redo",
        }
    }
}

/// One command that changed the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number, rising.
    pub seq: i64,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Who did it.
    pub actor: String,
    /// What was done, as the user could have typed it.
    pub command: String,
    /// Whether it reverses another.
    pub kind: OperationKind,
    /// The operation that it reverses.
    pub target: Option<i64>,
    /// What it did besides changing rows.
    pub note: Option<Value>,
    /// Why it cannot be undone any more.
    pub gone: Option<String>,
    /// The undo of it that is in effect.
    pub undone_by: Option<i64>,
}

const SELECT: &str = "SELECT seq, time_ns, actor, command, kind, target, note, gone,
    (SELECT CASE kind WHEN 'undo' THEN seq END FROM operation AS u WHERE u.target = o.seq ORDER BY seq DESC LIMIT 1)
    FROM operation AS o";

fn read(row: &Row<'_>) -> rusqlite::Result<Operation> {
    let kind: String = row.get(4)?;
    let kinds = [OperationKind::Command, OperationKind::Undo, OperationKind::Redo];
    let kind = kinds.into_iter().find(|known| known.word() == kind);
    let unknown = || rusqlite::Error::FromSqlConversionFailure(4, Type::Text, "an operation of an unknown kind".into());
    let note: Option<String> = row.get(6)?;
    let bad = |error| rusqlite::Error::FromSqlConversionFailure(6, Type::Text, Box::new(error));
    Ok(Operation {
        seq: row.get(0)?,
        time_ns: row.get(1)?,
        actor: row.get(2)?,
        command: row.get(3)?,
        kind: kind.ok_or_else(unknown)?,
        target: row.get(5)?,
        note: note.map(|note| serde_json::from_str(&note).map_err(bad)).transpose()?,
        gone: row.get(7)?,
        undone_by: row.get(8)?,
    })
}

pub(super) fn insert(view: &View<'_>, act: &Act, via: Option<&str>) -> Result<i64, Error> {
    let sql = "INSERT INTO operation (time_ns, actor, command, via) VALUES (?1, ?2, ?3, ?4) RETURNING seq";
    let seq = view.row(sql, (act.now_ns, &act.actor, &act.command, via), |row| row.get(0))?;
    seq.ok_or_else(|| Error::Damaged { path: view.path.to_owned(), what: "an operation got no number".into() })
}

impl Tx<'_> {
    /// Notes what this operation did besides changing rows, for whoever undoes it. `note` is a JSON object.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note(&self, note: &Value) -> Result<(), Error> {
        let sql = "UPDATE operation SET note = ?2 WHERE seq = ?1";
        self.execute(sql, (self.operation(), note.to_string())).map(drop)
    }

    /// Has undo pass this operation over, as if it had changed nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pass_over(&mut self) -> Result<(), Error> {
        self.note_named()?;
        self.execute("DELETE FROM undo_row WHERE operation = ?1", [self.operation()]).map(drop)
    }

    /// Says that this operation cannot be undone, and why, in half a sentence.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cannot_be_undone(&mut self, why: &str) -> Result<(), Error> {
        self.note_named()?;
        self.execute("DELETE FROM undo_row WHERE operation = ?1", [self.operation()])?;
        self.execute("UPDATE operation SET gone = ?2 WHERE seq = ?1", (self.operation(), why)).map(drop)
    }
}

impl View<'_> {
    /// The newest operations, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn operations(&self, limit: u32) -> Result<Vec<Operation>, Error> {
        self.rows(&format!("{SELECT} ORDER BY seq DESC LIMIT ?1"), [limit], read)
    }

    /// One operation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn operation(&self, seq: i64) -> Result<Option<Operation>, Error> {
        self.row(&format!("{SELECT} WHERE seq = ?1"), [seq], read)
    }
}
