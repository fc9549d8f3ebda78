//! What was found of a lost catalog.

use serde::Serialize;

use crate::ops::store_rebuild::RebuildReport;
use crate::ui::{Page, Paint, View};

use super::{path_text, plural};

/// What was found of a lost catalog.
#[derive(Debug, Serialize)]
pub struct RebuildView {
    restored: RestoredView,
    sources: Vec<String>,
    unnamed_trees: u64,
    damaged_trees: Vec<String>,
    damaged_labels: u64,
    set_aside: Vec<String>,
}

/// What came back under its name.
#[derive(Debug, Serialize)]
struct RestoredView {
    sources: u64,
    revisions: u64,
    sessions: u64,
    checkpoints: u64,
    commits: u64,
    lost: Vec<String>,
    behind: Vec<String>,
}

impl From<&RebuildReport> for RebuildView {
    fn from(report: &RebuildReport) -> Self {
        let restored = &report.restored;
        Self {
            restored: RestoredView {
                sources: restored.sources,
                revisions: restored.revisions,
                sessions: restored.sessions,
                checkpoints: restored.checkpoints,
                commits: restored.commits,
                lost: restored.lost.clone(),
                behind: restored.behind.iter().map(|(_, name)| name.clone()).collect(),
            },
            sources: report.sources.clone(),
            unnamed_trees: report.unnamed,
            damaged_trees: report.damaged.clone(),
            damaged_labels: report.damaged_labels,
            set_aside: report.set_aside.iter().map(|path| path_text(path)).collect(),
        }
    }
}

impl View for RebuildView {
    fn text(&self, page: &mut Page) {
        let found = &self.restored;
        let counts = [
            (found.sources, "source"),
            (found.revisions, "revision"),
            (found.sessions, "session"),
            (found.checkpoints, "checkpoint"),
            (found.commits, "commit"),
        ];
        let counts = counts.map(|(count, noun)| plural(count, noun));
        if !self.set_aside.is_empty() {
            page.put(Paint::Strong, &format!("{} have their names back", counts.join(", "))).end();
        }
        for name in &self.sources {
            page.put(Paint::Plain, "source ").put(Paint::Plain, name).end();
        }
        for what in &found.lost {
            page.put(Paint::Error, "lost").put(Paint::Plain, " ").put(Paint::Plain, what).end();
        }
        for name in &found.behind {
            page.put(Paint::Error, "session").put(Paint::Plain, " ").put(Paint::Plain, name);
            page.put(Paint::Plain, " is as it was stored last, and not as it was at the end").end();
        }
        for root in &self.damaged_trees {
            page.put(Paint::Error, "tree").put(Paint::Plain, &format!(" {root}… is damaged")).end();
        }
        if self.damaged_labels > 0 {
            let lines = plural(self.damaged_labels, "line");
            page.put(Paint::Error, "labels").put(Paint::Plain, &format!(": {lines} could not be read")).end();
        }
        if self.unnamed_trees > 0 {
            let trees = plural(self.unnamed_trees, "more tree");
            let rest =
                "have no name; `store rebuild --unnamed` makes sources of them, before `store gc` takes them away";
            page.put(Paint::Dim, &format!("{trees} {rest}")).end();
        }
        for path in &self.set_aside {
            page.put(Paint::Dim, &format!("put aside {path}")).end();
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.sources.join("\n"))
    }
}
