//! Checkpoints.

use serde::Serialize;

use crate::ops::{Checkpoint, Session};
use crate::ui::{Align, Column, Page, Paint, Row, View, bytes, rfc3339};

/// What was done to a checkpoint, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CheckpointAction {
    Shown,
    Created,
    Renamed,
    Deleted,
}

/// A checkpoint.
#[derive(Debug, Serialize)]
pub struct CheckpointView {
    id: String,
    checkpoint: String,
    session: String,
    session_name: String,
    number: u64,
    name: Option<String>,
    message: String,
    kind: &'static str,
    reason: Option<String>,
    root: String,
    files: u64,
    dirs: u64,
    size_bytes: u64,
    created: String,
    actor: String,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    action: CheckpointAction,
}

impl CheckpointView {
    /// The view of a checkpoint to which something was done.
    #[must_use]
    pub fn new(session: &Session, checkpoint: &Checkpoint, action: CheckpointAction) -> Self {
        Self {
            id: checkpoint.id.clone(),
            checkpoint: format!("{}@{}", session.name, checkpoint.number),
            session: session.id.clone(),
            session_name: session.name.clone(),
            number: checkpoint.number,
            name: checkpoint.name.clone(),
            message: checkpoint.message.clone(),
            kind: checkpoint.kind.word(),
            reason: checkpoint.reason.clone(),
            root: checkpoint.root.0.to_hex(),
            files: checkpoint.totals.files,
            dirs: checkpoint.totals.dirs,
            size_bytes: checkpoint.totals.size_bytes,
            created: rfc3339(checkpoint.created_ns),
            actor: checkpoint.actor.clone(),
            created_ns: checkpoint.created_ns,
            action,
        }
    }

    /// What was said of it, or what it was made before.
    fn about(&self) -> String {
        match (&self.reason, self.message.lines().next()) {
            (_, Some(line)) => line.to_owned(),
            (Some(reason), None) => format!("(before {reason})"),
            (None, None) => String::new(),
        }
    }

    fn sentence(&self, page: &mut Page, verb: &str) {
        page.put(Paint::Plain, verb).put(Paint::Plain, " checkpoint ").put(Paint::Strong, &self.checkpoint);
        page.put(Paint::Dim, &format!(" ({})", self.id));
        if let (CheckpointAction::Renamed, Some(name)) = (self.action, &self.name) {
            page.put(Paint::Plain, " to ").put(Paint::Strong, name);
        }
        page.end();
    }
}

impl View for CheckpointView {
    fn text(&self, page: &mut Page) {
        match self.action {
            CheckpointAction::Created => return self.sentence(page, "Created"),
            CheckpointAction::Renamed => return self.sentence(page, "Renamed"),
            CheckpointAction::Deleted => return self.sentence(page, "Deleted"),
            CheckpointAction::Shown => {}
        }
        page.put(Paint::Strong, &self.checkpoint).end();
        page.field("id", &self.id);
        if let Some(name) = &self.name {
            page.field("name", name);
        }
        for line in self.message.lines() {
            page.field("message", line);
        }
        match &self.reason {
            Some(reason) => page.field("kind", &format!("{}, before {reason}", self.kind)),
            None => page.field("kind", self.kind),
        }
        page.field("holds", &format!("{} files, {} directories, {}", self.files, self.dirs, bytes(self.size_bytes)));
        page.field("created", &format!("{} by {}", page.when(self.created_ns), self.actor));
    }

    fn brief(&self) -> Option<String> {
        (self.action != CheckpointAction::Shown).then(|| self.id.clone())
    }
}

impl Row for CheckpointView {
    const COLUMNS: &'static [Column] = &[
        Column("CHECKPOINT", Align::Left),
        Column("ID", Align::Left),
        Column("NAME", Align::Left),
        Column("KIND", Align::Left),
        Column("CREATED", Align::Left),
        Column("MESSAGE", Align::Left),
    ];
    const NONE: &'static str = "there are no checkpoints yet; `aether checkpoint create` makes one";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.checkpoint.clone()),
            (Paint::Dim, self.id.clone()),
            (Paint::Plain, self.name.clone().unwrap_or_default()),
            (Paint::Plain, self.kind.into()),
            (Paint::Plain, page.ago(self.created_ns)),
            (Paint::Plain, self.about()),
        ]
    }

    fn brief(&self) -> String {
        self.checkpoint.clone()
    }
}
