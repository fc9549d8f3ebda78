//! What a restore did.

use serde::Serialize;

use crate::ops::checkpoint_restore::Restored;
use crate::ui::{Page, Paint, View};

/// A session that was restored.
#[derive(Debug, Serialize)]
pub struct RestoreView {
    session: String,
    session_name: String,
    checkpoint: String,
    before: String,
    before_id: String,
    changed: bool,
}

impl RestoreView {
    /// The view of what was done.
    #[must_use]
    pub fn new(restored: &Restored) -> Self {
        let name = &restored.session.name;
        Self {
            session: restored.session.id.clone(),
            session_name: name.clone(),
            checkpoint: format!("{name}@{}", restored.checkpoint.number),
            before: format!("{name}@{}", restored.before.number),
            before_id: restored.before.id.clone(),
            changed: restored.changed,
        }
    }
}

impl View for RestoreView {
    fn text(&self, page: &mut Page) {
        let done = if self.changed { "Restored " } else { "Nothing differed from " };
        page.put(Paint::Plain, done).put(Paint::Strong, &self.checkpoint);
        page.put(Paint::Plain, "; the state before is ").put(Paint::Strong, &self.before);
        page.put(Paint::Dim, &format!(" ({})", self.before_id)).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.before_id.clone())
    }
}
