//! What a merge did, or would do.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::merge::Merged;
use crate::model::{BytePath, Kind};
use crate::ops::merge::Report;
use crate::ui::{Page, Paint, View};

use super::{ConflictView, bytes_hex, path_text};

/// A path that changed in the session.
#[derive(Debug, Serialize)]
struct Step {
    status: char,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path: Option<String>,
    is_dir: bool,
}

/// A merge.
#[derive(Debug, Serialize)]
pub struct MergeView {
    session: String,
    session_name: String,
    from: String,
    update: bool,
    dry_run: bool,
    clean: bool,
    /// The checkpoint of the session before, if it changed.
    before: Option<String>,
    changes: Vec<Step>,
    conflicts: Vec<ConflictView>,
}

impl MergeView {
    /// The view of what came of a merge.
    #[must_use]
    pub fn new(report: &Report) -> Self {
        let session = &report.session;
        Self {
            session: session.id.clone(),
            session_name: session.name.clone(),
            from: report.from.clone(),
            update: report.is_update,
            dry_run: report.is_dry,
            clean: report.merged.is_clean(),
            before: report.before.map(|number| format!("{}@{number}", session.name)),
            changes: steps(&report.merged),
            conflicts: report.merged.conflicts.iter().map(|it| ConflictView::new(&it.into())).collect(),
        }
    }

    fn sentence(&self) -> String {
        let (files, conflicts) = (self.changes.iter().filter(|step| !step.is_dir).count(), self.conflicts.len());
        let verb = match (self.update, self.dry_run) {
            (true, true) => "Updating",
            (true, false) => "Updated",
            (false, true) => "Merging",
            (false, false) => "Merged",
        };
        let what = match self.update {
            true => format!("{verb} `{}` to `{}`", self.session_name, self.from),
            false => format!("{verb} `{}` into `{}`", self.from, self.session_name),
        };
        let noun = |count, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let changes = noun(files, "file", "files");
        match (self.dry_run, conflicts) {
            (true, 0) => format!("{what} would change {changes}"),
            (false, 0) => format!("{what}: {changes} changed"),
            (true, _) => {
                format!("{what} would change {changes} and leave {}", noun(conflicts, "conflict", "conflicts"))
            }
            (false, _) => format!("{what}: {changes} changed, {}", noun(conflicts, "conflict", "conflicts")),
        }
    }
}

fn steps(merged: &Merged) -> Vec<Step> {
    let moved: BTreeSet<&BytePath> = merged.placed.iter().filter_map(|placed| placed.was.as_ref()).collect();
    let step = |status, path: &BytePath, old: Option<&BytePath>, is_dir| Step {
        status,
        path: path_text(path.as_path()),
        path_hex: bytes_hex(path.as_bytes()),
        old_path: old.map(|old| path_text(old.as_path())),
        is_dir,
    };
    let mut steps = Vec::new();
    for path in merged.removed.iter().rev().filter(|path| !moved.contains(path)) {
        let is_dir = merged.removed.iter().any(|other| other != path && other.starts_with(path));
        steps.push(step('D', path, None, is_dir));
    }
    for placed in &merged.placed {
        let is_dir = placed.entry.attr.kind == Kind::Dir;
        let old = placed.was.as_ref().filter(|was| **was != placed.path);
        let status = match (&placed.was, old) {
            (None, _) => 'A',
            (Some(_), Some(_)) => 'R',
            (Some(_), None) => 'M',
        };
        steps.push(step(status, &placed.path, old, is_dir));
    }
    steps.sort_by(|a, b| a.path.cmp(&b.path));
    steps
}

impl View for MergeView {
    fn text(&self, page: &mut Page) {
        if self.changes.is_empty() && self.conflicts.is_empty() {
            let line = match self.update {
                true => format!("`{}` stands on `{}`; there was nothing to change", self.session_name, self.from),
                false => format!("`{}` has all of `{}` already", self.session_name, self.from),
            };
            page.put(Paint::Plain, &line).end();
            return;
        }
        for step in self.changes.iter().filter(|step| !step.is_dir) {
            let paint = match step.status {
                'A' => Paint::Good,
                'D' => Paint::Error,
                _ => Paint::Warning,
            };
            page.put(paint, &step.status.to_string()).put(Paint::Plain, "  ");
            if let Some(old) = &step.old_path {
                page.put(Paint::Plain, old).put(Paint::Dim, " → ");
            }
            page.put(Paint::Plain, &step.path).end();
        }
        for conflict in &self.conflicts {
            conflict.line(page);
        }
        page.put(Paint::Strong, &self.sentence()).end();
        if let Some(before) = &self.before {
            page.put(Paint::Dim, &format!("What was there before is `{before}`")).end();
        }
        if !self.clean && !self.dry_run {
            let name = &self.session_name;
            let hint =
                format!("`aether conflict list {name}` lists the conflicts, `aether conflict resolve` ends them");
            page.put(Paint::Dim, &hint).end();
        }
    }
}
