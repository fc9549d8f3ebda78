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

impl AppliedView {
    /// What was done, a line each, or what would be.
    #[must_use]
    pub fn lines(&self, is_done: bool) -> Vec<String> {
        let (archive, trash) = if is_done { ("Archived", "Moved") } else { ("Would archive", "Would move") };
        let archived = self.archived.iter().map(|name| format!("{archive} session {name}"));
        let trashed = self.trashed.iter().map(|name| format!("{trash} session {name} to the trash"));
        let checkpoints = self.checkpoints.iter().map(|name| format!("{trash} checkpoint {name} to the trash"));
        archived.chain(trashed).chain(checkpoints).collect()
    }
}

impl View for AppliedView {
    fn text(&self, page: &mut Page) {
        self.lines(true).iter().for_each(|line| page.line(line));
    }
}
