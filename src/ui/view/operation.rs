//! Operations, and their undoing.

use serde::Serialize;
use serde_json::Value;

use crate::ops::op_log::OperationInfo;
use crate::ops::undo::Undone;
use crate::ops::{Event, RowChange};
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

/// One line of the history, briefly.
#[derive(Debug, Serialize)]
struct DoneView {
    #[serde(rename = "type")]
    what: String,
    id: String,
    name: Option<String>,
}

impl DoneView {
    fn new((event, name): &(Event, Option<String>)) -> Self {
        Self { what: event.what.clone(), id: event.object_id.clone(), name: name.clone() }
    }

    fn text(&self) -> String {
        format!("{} {}", self.what, self.name.as_ref().unwrap_or(&self.id))
    }
}

/// A row that an operation changed.
#[derive(Debug, Serialize)]
struct RowChangeView {
    table: String,
    key: Vec<Value>,
    before: Option<serde_json::Map<String, Value>>,
    after: Option<serde_json::Map<String, Value>>,
}

impl RowChangeView {
    fn new(change: &RowChange) -> Self {
        let row = |image: &serde_json::Map<String, Value>| {
            image.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        };
        Self {
            table: change.table.clone(),
            key: change.key.iter().map(plain).collect(),
            before: change.before.as_ref().map(row),
            after: change.after.as_ref().map(row),
        }
    }

    fn text(&self, page: &mut Page) {
        let key: Vec<_> = self.key.iter().map(shown).collect();
        let verb = match (&self.before, &self.after) {
            (None, _) => "made",
            (_, None) => "removed",
            _ => "changed",
        };
        page.put(Paint::Plain, &format!("{verb} {} {}", self.table, key.join(" "))).end();
        if let (Some(before), Some(after)) = (&self.before, &self.after) {
            for (name, old) in before.iter().filter(|(name, _)| *name != "updated_ns") {
                let new = after.get(name).map(shown).unwrap_or_default();
                page.line(&format!("  {name}: {} -> {new}", shown(old)));
            }
        }
    }
}

/// A value without the letter that says what it is: text as it is, bytes in hexadecimal.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => text.get(1..).unwrap_or_default().into(),
        other => other.clone(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An operation.
#[derive(Debug, Serialize)]
pub struct OperationView {
    operation: i64,
    time: String,
    actor: String,
    command: String,
    kind: &'static str,
    target: Option<i64>,
    undone_by: Option<i64>,
    cannot_be_undone: Option<String>,
    changed: Vec<DoneView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<RowChangeView>>,
    #[serde(skip)]
    time_ns: i64,
}

impl OperationView {
    /// The view of an operation.
    #[must_use]
    pub fn new(info: &OperationInfo) -> Self {
        let operation = &info.operation;
        Self {
            operation: operation.seq,
            time: rfc3339(operation.time_ns),
            actor: operation.actor.clone(),
            command: operation.command.clone(),
            kind: operation.kind.word(),
            target: operation.target,
            undone_by: operation.undone_by,
            cannot_be_undone: operation.gone.clone(),
            changed: info.events.iter().map(DoneView::new).collect(),
            rows: None,
            time_ns: operation.time_ns,
        }
    }

    /// With the rows that it changed.
    #[must_use]
    pub fn with_changes(mut self, changes: &[RowChange]) -> Self {
        self.rows = Some(changes.iter().map(RowChangeView::new).collect());
        self
    }
}

impl View for OperationView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Strong, &format!("operation {}", self.operation)).end();
        page.field("command", &self.command);
        page.field("time", &page.when(self.time_ns));
        page.field("actor", &self.actor);
        if let Some(target) = self.target {
            page.field(self.kind, &format!("of operation {target}"));
        }
        if let Some(by) = self.undone_by {
            page.field("undone by", &format!("operation {by}"));
        }
        if let Some(why) = &self.cannot_be_undone {
            page.field("no undo", why);
        }
        for done in &self.changed {
            page.field("did", &done.text());
        }
        for row in self.rows.iter().flatten() {
            row.text(page);
        }
    }
}

impl Row for OperationView {
    const COLUMNS: &'static [Column] = &[
        Column("OP", Align::Right),
        Column("WHEN", Align::Left),
        Column("BY", Align::Left),
        Column("COMMAND", Align::Left),
        Column("CHANGED", Align::Left),
    ];
    const NONE: &'static str = "nothing was done yet";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        const SHOWN: usize = 3;
        let mut changed: Vec<_> = self.changed.iter().take(SHOWN).map(DoneView::text).collect();
        if self.changed.len() > SHOWN {
            changed.push(format!("and {} more", self.changed.len() - SHOWN));
        }
        let (paint, undone) = match self.undone_by {
            Some(by) => (Paint::Dim, format!(" (undone by {by})")),
            None => (Paint::Plain, String::new()),
        };
        vec![
            (Paint::Strong, self.operation.to_string()),
            (paint, page.ago(self.time_ns)),
            (paint, self.actor.clone()),
            (paint, format!("{}{undone}", self.command)),
            (paint, changed.join(", ")),
        ]
    }

    fn brief(&self) -> String {
        self.operation.to_string()
    }
}

/// What was undone or redone.
#[derive(Debug, Serialize)]
pub struct UndoneView {
    operation: i64,
    kind: &'static str,
    target: i64,
    command: String,
    changed: Vec<DoneView>,
    kept: Option<String>,
}

impl UndoneView {
    /// The view of an undo or a redo.
    #[must_use]
    pub fn new(undone: &Undone) -> Self {
        Self {
            operation: undone.operation,
            kind: if undone.is_redo { "redo" } else { "undo" },
            target: undone.target.seq,
            command: undone.target.command.clone(),
            changed: undone.events.iter().map(DoneView::new).collect(),
            kept: undone.kept.clone(),
        }
    }
}

impl View for UndoneView {
    fn text(&self, page: &mut Page) {
        let verb = if self.kind == "redo" { "Redid" } else { "Undid" };
        page.put(Paint::Plain, &format!("{verb} operation {}: ", self.target)).put(Paint::Strong, &self.command).end();
        if let Some(kept) = &self.kept {
            page.line(&format!("What was there before is `{kept}`"));
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.operation.to_string())
    }
}
