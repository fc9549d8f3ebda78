//! What is in the trash.

use serde::Serialize;

use crate::ops::Trashed;
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

/// What was done to something in the trash, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TrashAction {
    Shown,
    Restored,
    Removed,
}

/// An object in the trash.
#[derive(Debug, Serialize)]
pub struct TrashView {
    kind: &'static str,
    id: String,
    name: String,
    deleted: String,
    #[serde(skip)]
    deleted_ns: i64,
    #[serde(skip)]
    action: TrashAction,
}

impl TrashView {
    /// The view of an object to which something was done.
    #[must_use]
    pub fn new(found: &Trashed, action: TrashAction) -> Self {
        Self {
            kind: found.kind.word(),
            id: found.id.clone(),
            name: found.name.clone(),
            deleted: rfc3339(found.deleted_ns),
            deleted_ns: found.deleted_ns,
            action,
        }
    }
}

impl View for TrashView {
    fn text(&self, page: &mut Page) {
        let verb = match self.action {
            TrashAction::Restored => "Restored ",
            TrashAction::Removed => "Removed ",
            TrashAction::Shown => "",
        };
        page.put(Paint::Plain, verb).put(Paint::Plain, self.kind).put(Paint::Plain, " ");
        page.put(Paint::Strong, &self.name).put(Paint::Dim, &format!(" ({})", self.id)).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Row for TrashView {
    const COLUMNS: &'static [Column] = &[
        Column("NAME", Align::Left),
        Column("KIND", Align::Left),
        Column("ID", Align::Left),
        Column("DELETED", Align::Left),
    ];
    const NONE: &'static str = "the trash is empty";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.name.clone()),
            (Paint::Plain, self.kind.into()),
            (Paint::Dim, self.id.clone()),
            (Paint::Plain, page.ago(self.deleted_ns)),
        ]
    }

    fn brief(&self) -> String {
        self.name.clone()
    }
}
