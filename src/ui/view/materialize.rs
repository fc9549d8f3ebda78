//! Sessions that were written to a plain directory, and taken back from one.

use serde::Serialize;

use crate::ops::absorb::Absorbed;
use crate::ops::materialize::Materialized;
use crate::ui::{Page, Paint, View, bytes};

use super::{ChangeView, path_hex, path_text};

/// A session that was written to a directory.
#[derive(Debug, Serialize)]
pub struct MaterializedView {
    session: String,
    session_name: String,
    dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir_hex: Option<String>,
    files: u64,
    dirs: u64,
    size_bytes: u64,
    cloned_files: u64,
    not_written: Vec<String>,
}

impl MaterializedView {
    /// The view of what was written.
    #[must_use]
    pub fn new(made: &Materialized) -> Self {
        Self {
            session: made.session.id.clone(),
            session_name: made.session.name.clone(),
            dir: path_text(&made.dir),
            dir_hex: path_hex(&made.dir),
            files: made.totals.files,
            dirs: made.totals.dirs,
            size_bytes: made.totals.size_bytes,
            cloned_files: made.cloned,
            not_written: made.left_out.clone(),
        }
    }
}

impl View for MaterializedView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "Wrote session ").put(Paint::Strong, &self.session_name);
        page.put(Paint::Plain, " to ").put(Paint::Strong, &self.dir);
        let noun = if self.files == 1 { "file" } else { "files" };
        page.put(Paint::Plain, &format!(": {} {noun}, {}", self.files, bytes(self.size_bytes)));
        if self.cloned_files > 0 {
            page.put(Paint::Plain, &format!(", {} of them shared with the origin", self.cloned_files));
        }
        page.end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.dir.clone())
    }
}

/// A session that took in what happened in a directory.
#[derive(Debug, Serialize)]
pub struct AbsorbedView {
    session: String,
    session_name: String,
    dry_run: bool,
    changes: Vec<ChangeView>,
    before: Option<String>,
    before_id: Option<String>,
    files_read: u64,
    left_out: Vec<String>,
}

impl AbsorbedView {
    /// The view of what was done, or would be.
    #[must_use]
    pub fn new(absorbed: &Absorbed, dry_run: bool) -> Self {
        let name = &absorbed.session.name;
        let before = absorbed.before.as_ref();
        Self {
            session: absorbed.session.id.clone(),
            session_name: name.clone(),
            dry_run,
            changes: absorbed.visible().into_iter().map(ChangeView::new).collect(),
            before: before.map(|before| format!("{name}@{}", before.number)),
            before_id: before.map(|before| before.id.clone()),
            files_read: absorbed.files_read,
            left_out: absorbed.left_out.clone(),
        }
    }
}

impl View for AbsorbedView {
    fn text(&self, page: &mut Page) {
        for change in &self.changes {
            change.put_line(page);
        }
        let count = self.changes.len();
        let noun = if count == 1 { "path" } else { "paths" };
        match &self.before {
            None if count == 0 => page.line("Nothing changed in the directory"),
            None => page.line(&format!("{count} {noun} would change")),
            Some(before) => {
                page.put(Paint::Plain, &format!("{count} {noun} changed; the state before is "));
                page.put(Paint::Strong, before).end();
            }
        }
    }

    fn brief(&self) -> Option<String> {
        self.before_id.clone()
    }
}
