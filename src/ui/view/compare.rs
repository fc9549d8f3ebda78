//! What several sessions changed.

use serde::Serialize;

use crate::ops::session_compare::Table as Compared;
use crate::ui::{Align, Column, Page, Paint, Table, View};

use super::{bytes_hex, path_text};

/// Paths and what each session did to them.
#[derive(Debug, Serialize)]
pub struct CompareView {
    sessions: Vec<String>,
    paths: Vec<PathView>,
}

#[derive(Debug, Serialize)]
struct PathView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    /// Whether all who changed it made the same of it.
    same: bool,
    changes: Vec<CellView>,
}

#[derive(Debug, Serialize)]
struct CellView {
    session: String,
    status: char,
    group: usize,
}

impl CompareView {
    /// The view of what was compared.
    #[must_use]
    pub fn new(table: &Compared) -> Self {
        let names: Vec<String> = table.sessions.iter().map(|session| session.name.clone()).collect();
        let paths = table.rows.iter().map(|row| {
            let cells = names.iter().zip(&row.cells).filter_map(|(name, cell)| {
                let cell = (*cell)?;
                Some(CellView { session: name.clone(), status: cell.letter, group: cell.group })
            });
            PathView {
                path: path_text(row.path.as_path()),
                path_hex: bytes_hex(row.path.as_bytes()),
                same: row.agrees(),
                changes: cells.collect(),
            }
        });
        Self { paths: paths.collect(), sessions: names }
    }
}

impl View for CompareView {
    fn text(&self, page: &mut Page) {
        if self.paths.is_empty() {
            return page.line("There are no such paths");
        }
        const COLUMNS: &[Column] =
            &[Column("PATH", Align::Left), Column("SAME", Align::Left), Column("SESSIONS", Align::Left)];
        let mut table = Table::new(COLUMNS);
        for path in &self.paths {
            let cells = path.changes.iter().map(|cell| format!("{} {}{}", cell.session, cell.status, cell.group));
            let same = match (path.changes.len(), path.same) {
                (1, _) => (Paint::Plain, ""),
                (_, true) => (Paint::Good, "yes"),
                (_, false) => (Paint::Warning, "no"),
            };
            let sessions = cells.collect::<Vec<_>>().join(", ");
            table.push(vec![(Paint::Strong, path.path.clone()), (same.0, same.1.into()), (Paint::Plain, sessions)]);
        }
        table.render(page);
    }
}
