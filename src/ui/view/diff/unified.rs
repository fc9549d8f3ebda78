//! The lines that went, behind `-`, then those that came, behind `+`.

use super::{Run, put_place, runs};
use crate::ops::changes::Hunk;
use crate::ui::{Page, Paint};

/// What stands below the last line of a text that does not end with a line feed.
pub(super) const NO_LINE_FEED: &str = "\\ No newline at end of file";

pub(super) fn show(page: &mut Page, hunk: &Hunk) {
    put_place(page, hunk);
    for run in runs(hunk) {
        if run.stayed {
            put(page, &run, Paint::Plain, ' ', &run.new);
        } else {
            put(page, &run, Paint::Error, '-', &run.old);
            put(page, &run, Paint::Good, '+', &run.new);
        }
    }
}

fn put(page: &mut Page, run: &Run<'_>, paint: Paint, mark: char, lines: &[&[u8]]) {
    for line in lines {
        page.put(paint, &format!("{mark}{}", run.line(line))).end();
        if !line.ends_with(b"\n") {
            page.put(Paint::Dim, NO_LINE_FEED).end();
        }
    }
}
