//! Conflicts of a merge.

use serde::Serialize;

use crate::model::{BytePath, Kind};
use crate::ops::ConflictRow;
use crate::ops::merge::{Resolved, Side, Sides};
use crate::ui::{Align, Column, Page, Paint, Row, View};

use super::{bytes_hex, path_text};

/// A conflict.
#[derive(Debug, Serialize)]
pub struct ConflictView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    kinds: Vec<&'static str>,
    base_path: Option<String>,
    our_path: Option<String>,
    their_path: Option<String>,
    has_markers: bool,
    resolution: Option<String>,
}

fn text(path: &BytePath) -> String {
    path_text(path.as_path())
}

impl ConflictView {
    /// The view of a conflict.
    #[must_use]
    pub fn new(row: &ConflictRow) -> Self {
        Self {
            path: text(&row.path),
            path_hex: bytes_hex(row.path.as_bytes()),
            kinds: row.words(),
            base_path: row.base_path.as_ref().map(text),
            our_path: row.ours_path.as_ref().map(text),
            their_path: row.theirs_path.as_ref().map(text),
            has_markers: row.has_markers,
            resolution: row.resolution.clone(),
        }
    }

    /// What happened, in words.
    fn about(&self) -> String {
        let mut words = self.kinds.join(", ");
        match (&self.our_path, &self.their_path) {
            (None, Some(_)) if self.base_path.is_some() => words += " (deleted here)",
            (Some(_), None) if self.base_path.is_some() => words += " (deleted there)",
            (Some(ours), Some(theirs)) if ours != theirs => words += &format!(" (there it is `{theirs}`)"),
            _ => {}
        }
        words
    }

    /// One line for a list of changes.
    pub(super) fn line(&self, page: &mut Page) {
        page.put(Paint::Error, "C").put(Paint::Plain, "  ").put(Paint::Plain, &self.path);
        page.put(Paint::Dim, &format!("  {}", self.about())).end();
    }
}

impl Row for ConflictView {
    const COLUMNS: &'static [Column] =
        &[Column("PATH", Align::Left), Column("CONFLICT", Align::Left), Column("RESOLVED", Align::Left)];
    const NONE: &'static str = "there are no conflicts";

    fn cells(&self, _page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.path.clone()),
            (Paint::Plain, self.about()),
            (Paint::Dim, self.resolution.clone().unwrap_or_default()),
        ]
    }

    fn brief(&self) -> String {
        self.path.clone()
    }
}

/// What one side has.
#[derive(Debug, Serialize)]
struct SideView {
    side: &'static str,
    path: String,
    kind: &'static str,
    mode: String,
    size_bytes: u64,
    /// The text, if it is one.
    text: Option<String>,
}

/// A conflict with what each side has.
#[derive(Debug, Serialize)]
pub struct SidesView {
    #[serde(flatten)]
    conflict: ConflictView,
    from: String,
    sides: Vec<SideView>,
}

impl SidesView {
    /// The view of a conflict's sides.
    #[must_use]
    pub fn new(sides: &Sides) -> Self {
        let named = ["base", "ours", "theirs"].into_iter().zip(&sides.sides);
        Self {
            conflict: ConflictView::new(&sides.row),
            from: sides.from.clone(),
            sides: named.filter_map(|(side, it)| it.as_ref().map(|it| side_view(side, it))).collect(),
        }
    }
}

fn side_view(side: &'static str, it: &Side) -> SideView {
    let kind = match it.entry.attr.kind {
        Kind::File => "file",
        Kind::Dir => "directory",
        Kind::Symlink => "symlink",
        _ => "special",
    };
    let text = it.text.as_ref().map(|text| String::from_utf8_lossy(text).into_owned());
    let mode = format!("{:06o}", it.entry.attr.mode());
    SideView { side, path: self::text(&it.path), kind, mode, size_bytes: it.entry.attr.size, text }
}

impl View for SidesView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Strong, &self.conflict.path).end();
        page.field("conflict", &self.conflict.about());
        page.field("merged", &self.from);
        if let Some(how) = &self.conflict.resolution {
            page.field("resolved", how);
        }
        for side in &self.sides {
            let line = format!("{}: {} {}, {} bytes", side.side, side.kind, side.path, side.size_bytes);
            page.put(Paint::Strong, &line).end();
            for line in side.text.iter().flat_map(|text| text.lines()) {
                page.put(Paint::Dim, "| ").put(Paint::Plain, line).end();
            }
        }
    }
}

/// Conflicts that were resolved, or a merge that was taken back.
#[derive(Debug, Serialize)]
pub struct ResolvedView {
    session: String,
    session_name: String,
    from: String,
    status: &'static str,
    aborted: bool,
    paths: Vec<String>,
    left: usize,
    /// The checkpoint of the session before, if it changed.
    before: Option<String>,
}

impl ResolvedView {
    /// The view of what was resolved, or taken back.
    #[must_use]
    pub fn new(resolved: &Resolved, aborted: bool) -> Self {
        let session = &resolved.session;
        Self {
            session: session.id.clone(),
            session_name: session.name.clone(),
            from: resolved.from.clone(),
            status: session.status.word(),
            aborted,
            paths: resolved.paths.iter().map(text).collect(),
            left: resolved.left,
            before: resolved.before.map(|number| format!("{}@{number}", session.name)),
        }
    }
}

impl View for ResolvedView {
    fn text(&self, page: &mut Page) {
        for path in &self.paths {
            page.put(Paint::Plain, "Resolved ").put(Paint::Strong, path).end();
        }
        let line = match (self.aborted, self.left) {
            (true, _) => format!("`{}` is as it was before `{}` was merged", self.session_name, self.from),
            (false, 0) => format!("`{}` has no conflicts any more", self.session_name),
            (false, 1) => "1 conflict is left".to_owned(),
            (false, left) => format!("{left} conflicts are left"),
        };
        page.put(Paint::Plain, &line).end();
        if let Some(before) = &self.before {
            page.put(Paint::Dim, &format!("What was there before is `{before}`")).end();
        }
    }
}
