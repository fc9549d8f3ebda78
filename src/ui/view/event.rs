//! The history.

use serde::Serialize;
use serde_json::Value;

use crate::ops::event_list::Named;
use crate::ops::event_prune::Pruned;
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

use super::plural;

/// A line of the history.
#[derive(Debug, Serialize)]
pub struct EventView {
    seq: i64,
    operation: i64,
    time: String,
    actor: String,
    #[serde(rename = "type")]
    what: String,
    kind: String,
    id: String,
    name: Option<String>,
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<String>,
    details: Value,
    #[serde(skip)]
    time_ns: i64,
}

impl EventView {
    /// The view of a line.
    #[must_use]
    pub fn new((event, name): &Named) -> Self {
        Self {
            seq: event.seq,
            operation: event.operation,
            time: rfc3339(event.time_ns),
            actor: event.actor.clone(),
            what: event.what.clone(),
            kind: event.object_kind.clone(),
            id: event.object_id.clone(),
            name: name.clone(),
            command: event.command.clone(),
            via: event.via.clone(),
            details: serde_json::from_str(&event.details).unwrap_or_default(),
            time_ns: event.time_ns,
        }
    }

    /// The details without what is said elsewhere, as `key=value`.
    fn rest(&self) -> String {
        let entries = self.details.as_object().into_iter().flatten();
        let entries = entries.filter(|(key, value)| *key != "name" && !value.is_null());
        let shown = entries.map(|(key, value)| match value {
            Value::String(text) => format!("{key}={text}"),
            other => format!("{key}={other}"),
        });
        let via = self.via.as_ref().map(|via| format!("via={via}"));
        shown.chain(via).collect::<Vec<_>>().join(" ")
    }
}

impl View for EventView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Dim, &format!("{:>5}  {}  {}  ", self.seq, self.time, self.actor));
        page.put(Paint::Strong, &self.what).put(Paint::Plain, " ");
        page.put(Paint::Plain, self.name.as_ref().unwrap_or(&self.id)).put(Paint::Plain, "  ");
        page.put(Paint::Dim, &self.rest()).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.seq.to_string())
    }
}

impl Row for EventView {
    const COLUMNS: &'static [Column] = &[
        Column("EVENT", Align::Right),
        Column("WHEN", Align::Left),
        Column("BY", Align::Left),
        Column("TYPE", Align::Left),
        Column("NAME", Align::Left),
        Column("DETAILS", Align::Left),
    ];
    const NONE: &'static str = "no events";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Dim, self.seq.to_string()),
            (Paint::Plain, page.ago(self.time_ns)),
            (Paint::Plain, self.actor.clone()),
            (Paint::Strong, self.what.clone()),
            (Paint::Plain, self.name.clone().unwrap_or_else(|| self.id.clone())),
            (Paint::Dim, self.rest()),
        ]
    }

    fn brief(&self) -> String {
        self.seq.to_string()
    }
}

/// Events that went, or would go.
#[derive(Debug, Serialize)]
pub struct EventsPrunedView {
    events: u64,
    upto: i64,
    dry_run: bool,
}

impl EventsPrunedView {
    /// The view of what was pruned.
    #[must_use]
    pub fn new(pruned: Pruned, dry_run: bool) -> Self {
        Self { events: pruned.events, upto: pruned.upto, dry_run }
    }
}

impl View for EventsPrunedView {
    fn text(&self, page: &mut Page) {
        let verb = if self.dry_run { "would remove" } else { "removed" };
        page.line(&format!("{verb} {}", plural(self.events, "event")));
    }

    fn brief(&self) -> Option<String> {
        Some(self.events.to_string())
    }
}
