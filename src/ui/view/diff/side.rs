//! The old text on the left, the new one on the right, each line with its number. Between them stands what happened, as
//! in `diff -y`: `|` for a line that changed, `<` for one that went, `>` for one that came. Long lines go on below.

use super::{AnnotationView, Run, notes, put_place, runs, safe};
use crate::ops::changes::Hunk;
use crate::ui::{Page, Paint};

/// A column for each text is never narrower.
const LEAST_COLUMNS: usize = 16;

struct Layout {
    /// Columns of the numbers.
    number: usize,
    /// Columns of the text of one side.
    text: usize,
}

/// One side of a row.
struct Cell {
    number: usize,
    paint: Paint,
    text: String,
}

pub(super) fn show(page: &mut Page, hunk: &Hunk, columns: usize, notes: &[AnnotationView]) {
    put_place(page, hunk);
    let last = (hunk.old_start + hunk.old_lines).max(hunk.new_start + hunk.new_lines);
    let number = last.to_string().len();
    // Two numbers with a space behind them, and the mark with one on each side.
    let text = columns.saturating_sub(2 * (number + 1) + 3) / 2;
    let layout = Layout { number, text: text.max(LEAST_COLUMNS) };
    let (mut old, mut new) = (hunk.old_start, hunk.new_start);
    for run in runs(hunk) {
        for at in 0..run.old.len().max(run.new.len()) {
            let left = cell(&run, run.old.get(at), old + at, Paint::Error);
            let right = cell(&run, run.new.get(at), new + at, Paint::Good);
            layout.put_row(page, left, right, run.stayed);
            if at < run.new.len() {
                notes::put(page, notes, new + at..new + at + 1);
            }
        }
        old += run.old.len();
        new += run.new.len();
    }
}

fn cell(run: &Run<'_>, line: Option<&&[u8]>, number: usize, paint: Paint) -> Option<Cell> {
    let line = line?;
    let mut text = run.line(line);
    if !run.stayed && !line.ends_with(b"\n") {
        text.push_str("\\ (no newline)");
    }
    Some(Cell { number, paint: if run.stayed { Paint::Plain } else { paint }, text })
}

impl Layout {
    fn put_row(&self, page: &mut Page, left: Option<Cell>, right: Option<Cell>, stayed: bool) {
        let mark = match (&left, &right) {
            _ if stayed => " ",
            (Some(_), Some(_)) => "|",
            (Some(_), None) => "<",
            _ => ">",
        };
        let (a, b) = (self.fold(left.as_ref()), self.fold(right.as_ref()));
        for at in 0..a.len().max(b.len()) {
            self.put_cell(page, left.as_ref(), a.get(at), at == 0, true);
            page.put(Paint::Dim, &format!(" {mark}"));
            if let Some(text) = b.get(at).filter(|text| at == 0 || !text.is_empty()) {
                page.put(Paint::Plain, " ");
                self.put_cell(page, right.as_ref(), Some(text), at == 0, false);
            }
            page.end();
        }
    }

    fn put_cell(&self, page: &mut Page, cell: Option<&Cell>, text: Option<&String>, first: bool, pad: bool) {
        let width = self.number;
        let number =
            cell.filter(|_| first).map_or_else(|| " ".repeat(width), |cell| format!("{:>width$}", cell.number));
        let text = text.map_or("", String::as_str);
        let paint = cell.map_or(Paint::Plain, |cell| cell.paint);
        page.put(Paint::Dim, &number);
        if pad || !text.is_empty() {
            page.put(Paint::Plain, " ").put(paint, text);
        }
        if pad {
            page.put(Paint::Plain, &" ".repeat(self.text.saturating_sub(safe::width(text))));
        }
    }

    /// The text of a cell in pieces that fit; none for a side that has no line.
    fn fold(&self, cell: Option<&Cell>) -> Vec<String> {
        let Some(cell) = cell else { return Vec::new() };
        let (mut pieces, mut used) = (vec![String::new()], 0);
        for char in cell.text.chars() {
            let width = unicode_width::UnicodeWidthChar::width(char).unwrap_or(0);
            if used + width > self.text {
                pieces.push(String::new());
                used = 0;
            }
            used += width;
            if let Some(piece) = pieces.last_mut() {
                piece.push(char);
            }
        }
        pieces
    }
}
