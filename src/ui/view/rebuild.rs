//! What was found of a lost catalog.

use serde::Serialize;

use crate::ops::store_rebuild::RebuildReport;
use crate::ui::{Page, Paint, View};

use super::path_text;

/// What was found of a lost catalog.
#[derive(Debug, Serialize)]
pub struct RebuildView {
    sources: Vec<String>,
    damaged_trees: Vec<String>,
    set_aside: Vec<String>,
}

impl From<&RebuildReport> for RebuildView {
    fn from(report: &RebuildReport) -> Self {
        Self {
            sources: report.sources.clone(),
            damaged_trees: report.damaged.clone(),
            set_aside: report.set_aside.iter().map(|path| path_text(path)).collect(),
        }
    }
}

impl View for RebuildView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Strong, &format!("{} trees were found", self.sources.len())).end();
        for name in &self.sources {
            page.put(Paint::Plain, "source ").put(Paint::Plain, name).end();
        }
        for root in &self.damaged_trees {
            page.put(Paint::Error, "tree").put(Paint::Plain, &format!(" {root}… is damaged")).end();
        }
        for path in &self.set_aside {
            page.put(Paint::Dim, &format!("put aside {path}")).end();
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.sources.join("\n"))
    }
}
