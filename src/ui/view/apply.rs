//! What an apply wrote, and what it left alone.

use serde::Serialize;

use crate::model::BytePath;
use crate::ops::session_apply::Report;
use crate::ui::{Page, Paint, View};

use super::{bytes_hex, path_hex, path_text};

/// A path, and what became of it.
#[derive(Debug, Serialize)]
struct PathView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// What came of an apply.
#[derive(Debug, Serialize)]
pub struct ApplyView {
    session: String,
    session_name: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_hex: Option<String>,
    dry_run: bool,
    recovered: bool,
    paths: Vec<PathView>,
}

impl ApplyView {
    /// The view of a report.
    #[must_use]
    pub fn new(report: &Report) -> Self {
        let applied = &report.applied;
        let view = |path: &BytePath, state, why| PathView {
            path: path_text(path.as_path()),
            path_hex: bytes_hex(path.as_bytes()),
            state,
            why,
        };
        let mut paths: Vec<PathView> = applied.done.iter().map(|path| view(path, "applied", None)).collect();
        paths.extend(applied.already.iter().map(|path| view(path, "already", None)));
        paths.extend(applied.kept.iter().map(|path| view(path, "kept", Some("something is in it"))));
        paths.extend(applied.conflicts.iter().map(|found| view(&found.path, "conflict", Some(found.why))));
        Self {
            session: report.session.id.clone(),
            session_name: report.session.name.clone(),
            target: path_text(&report.target),
            target_hex: path_hex(&report.target),
            dry_run: report.is_dry,
            recovered: applied.recovered,
            paths,
        }
    }
}

impl View for ApplyView {
    fn text(&self, page: &mut Page) {
        if self.recovered {
            page.line("Cleaned up what an interrupted apply had left");
        }
        let count = |state| self.paths.iter().filter(|path| path.state == state).count();
        for path in self.paths.iter().filter(|path| path.state != "already") {
            let (paint, letter) = match path.state {
                "conflict" => (Paint::Error, "C"),
                "kept" => (Paint::Warning, "K"),
                _ => (Paint::Good, "W"),
            };
            page.put(paint, letter).put(Paint::Plain, "  ").put(Paint::Plain, &path.path);
            if let Some(why) = path.why {
                page.put(Paint::Dim, &format!("  ({why})"));
            }
            page.end();
        }
        let verb = if self.dry_run { "Would apply" } else { "Applied" };
        let noun = if count("applied") == 1 { "path" } else { "paths" };
        page.put(Paint::Plain, &format!("{verb} {} {noun} of ", count("applied")))
            .put(Paint::Strong, &self.session_name);
        page.put(Paint::Plain, " to ").put(Paint::Strong, &self.target);
        match count("conflict") {
            0 => {}
            1 => drop(page.put(Paint::Error, "; 1 was changed there, and is left alone")),
            many => drop(page.put(Paint::Error, &format!("; {many} were changed there, and are left alone"))),
        }
        page.end();
    }
}
