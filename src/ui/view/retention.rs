//! What went because its time was over.

use serde::Serialize;

use crate::ops::retention::Applied;
use crate::ui::{Page, View};

/// What was archived, and what went to the trash.
#[derive(Debug, Serialize)]
pub struct AppliedView {
    archived: Vec<String>,
    trashed: Vec<String>,
    busy: Vec<String>,
    checkpoints: Vec<String>,
}

impl AppliedView {
    /// The view of what was done.
    #[must_use]
    pub fn new(applied: &Applied) -> Self {
        Self {
            archived: applied.archived.clone(),
            trashed: applied.trashed.clone(),
            busy: applied.busy.iter().map(|(name, _)| name.clone()).collect(),
            checkpoints: applied.checkpoints.clone(),
        }
    }
}

impl View for AppliedView {
    fn text(&self, page: &mut Page) {
        self.archived.iter().for_each(|name| page.line(&format!("Archived session {name}")));
        self.trashed.iter().for_each(|name| page.line(&format!("Moved session {name} to the trash")));
        self.checkpoints.iter().for_each(|name| page.line(&format!("Moved checkpoint {name} to the trash")));
    }
}
