//! What differs, as people read it: one line a change, and below it how the text of the file differs.
//!
//! Whatever is in the files is shown safely: control characters and bytes that are not UTF-8 are written out, tabs are
//! spaces. Without colours the marks of each form still say what came and what went.

mod notes;
mod safe;
mod side;
mod unified;
mod word;

use serde::Serialize;

use super::{AnnotationView, ChangeView};
use crate::ops::changes::{FileDiff, Hunk, LineKind};
use crate::ops::session_changes::FileChange;
use crate::ui::{Page, Paint, View};

/// How the text of a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffForm {
    /// The lines that went, then those that came.
    Unified,
    /// Line by line, with the words marked that went and came.
    Words,
    /// The old text on the left, the new one on the right, in so many columns.
    SideBySide(usize),
}

/// The changes with their text.
#[derive(Debug, Serialize)]
pub struct DiffView<'a> {
    changes: Vec<ChangeView>,
    #[serde(skip)]
    files: &'a [FileChange<'a>],
    #[serde(skip)]
    form: DiffForm,
}

impl<'a> DiffView<'a> {
    /// The view of these files.
    #[must_use]
    pub fn new(files: &'a [FileChange<'a>], form: DiffForm) -> Self {
        Self { changes: files.iter().map(ChangeView::counted).collect(), files, form }
    }

    /// With notes, each beside the last of its lines.
    #[must_use]
    pub fn with_notes(self, notes: Vec<AnnotationView>) -> Self {
        Self { changes: ChangeView::with_notes(self.changes, notes), ..self }
    }

    fn show(&self, page: &mut Page, diff: &FileDiff, notes: &[AnnotationView]) {
        match diff {
            FileDiff::Same => {}
            FileDiff::Text(hunks) => hunks.iter().for_each(|hunk| self.show_hunk(page, hunk, notes)),
            FileDiff::Binary { old_bytes, new_bytes } => {
                page.put(Paint::Dim, &format!("no text: {old_bytes} bytes before, {new_bytes} after")).end();
            }
            FileDiff::Replaced(gone, came) => {
                self.show(page, gone, &[]);
                self.show(page, came, notes);
            }
        }
    }

    fn show_hunk(&self, page: &mut Page, hunk: &Hunk, notes: &[AnnotationView]) {
        match self.form {
            DiffForm::Unified => unified::show(page, hunk, notes),
            DiffForm::Words => word::show(page, hunk, notes),
            DiffForm::SideBySide(columns) => side::show(page, hunk, columns, notes),
        }
    }
}

impl View for DiffView<'_> {
    fn text(&self, page: &mut Page) {
        for (at, (change, file)) in self.changes.iter().zip(self.files).enumerate() {
            if at > 0 {
                page.end();
            }
            page.put(Paint::Strong, &change.headline()).end();
            let notes = change.annotations.as_deref().unwrap_or_default();
            let (beside, apart): (Vec<_>, Vec<_>) =
                notes.iter().cloned().partition(|note| notes::is_beside(&file.diff, note));
            self.show(page, &file.diff, &beside);
            apart.iter().for_each(|note| note.put_beside(page, true));
        }
        let others = &self.changes[self.files.len()..];
        if !self.files.is_empty() && !others.is_empty() {
            page.end();
        }
        others.iter().flat_map(|other| &other.annotations).flatten().for_each(|note| note.put_beside(page, true));
    }
}

/// Where a hunk is, in both texts.
fn put_place(page: &mut Page, hunk: &Hunk) {
    let range = |start: usize, lines: usize| if lines == 1 { start.to_string() } else { format!("{start},{lines}") };
    let (old, new) = (range(hunk.old_start, hunk.old_lines), range(hunk.new_start, hunk.new_lines));
    page.put(Paint::Hint, &format!("@@ -{old} +{new} @@")).end();
}

/// A part of a hunk: lines that stayed, or lines that went with those that came in their place.
#[derive(Default)]
struct Run<'a> {
    old: Vec<&'a [u8]>,
    new: Vec<&'a [u8]>,
    stayed: bool,
    /// The carriage returns at the ends of lines say nothing: all of them have one.
    returns: bool,
}

fn runs(hunk: &Hunk) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for line in &hunk.lines {
        let stayed = line.kind == LineKind::Context;
        if runs.last().is_none_or(|run| run.stayed != stayed) {
            runs.push(Run { stayed, returns: true, ..Run::default() });
        }
        let Some(run) = runs.last_mut() else { continue };
        run.returns &= line.text.ends_with(b"\r\n");
        if line.kind != LineKind::Inserted {
            run.old.push(&line.text);
        }
        if line.kind != LineKind::Deleted {
            run.new.push(&line.text);
        }
    }
    runs
}

impl Run<'_> {
    /// A line of the run as text that cannot drive a terminal, without what ends it.
    fn line(&self, line: &[u8]) -> String {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        safe::text(if self.returns { &line[..line.len() - 1] } else { line }, 0)
    }
}

#[cfg(test)]
mod tests;
