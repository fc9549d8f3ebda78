//! What was exported.

use std::path::Path;

use serde::Serialize;

use crate::ops::export::Exported;
use crate::ui::{Page, Paint, View};

use super::path_text;

/// What was exported, and where to.
#[derive(Debug, Serialize)]
pub struct ExportView {
    from: String,
    file: Option<String>,
    commit: Option<String>,
    parent: Option<String>,
    branch: Option<String>,
    left_out: Vec<String>,
    too_long: Vec<String>,
}

impl ExportView {
    /// The view of an export, into a file if it went to one.
    #[must_use]
    pub fn new(exported: &Exported, file: Option<&Path>) -> Self {
        let git = exported.git.as_ref();
        Self {
            from: exported.from.clone(),
            file: file.map(path_text),
            commit: git.map(|made| made.id.clone()),
            parent: git.map(|made| made.parent.clone()),
            branch: git.map(|made| made.branch.clone()),
            left_out: exported.left_out.iter().map(|path| path_text(path.as_path())).collect(),
            too_long: exported.too_long.iter().map(|path| path_text(path.as_path())).collect(),
        }
    }
}

impl View for ExportView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "Exported ").put(Paint::Strong, &self.from).put(Paint::Plain, " to ");
        match (&self.file, &self.branch, &self.commit) {
            (Some(file), ..) => page.put(Paint::Strong, file),
            (None, Some(branch), Some(commit)) => {
                page.put(Paint::Plain, "branch ").put(Paint::Strong, branch).put(Paint::Dim, &format!(" ({commit})"))
            }
            _ => page,
        };
        page.end();
    }

    fn brief(&self) -> Option<String> {
        self.commit.clone().or_else(|| self.file.clone())
    }
}
