//! The lines that went, behind `-`, then those that came, behind `+`.

use super::{AnnotationView, Run, notes, put_place, runs};
use crate::ops::changes::Hunk;
use crate::ui::{Page, Paint};

/// What stands below the last line of a text that does not end with a line feed.
pub(super) const NO_LINE_FEED: &str = "\\ No newline at end of file";

pub(super) fn show(page: &mut Page, hunk: &Hunk, notes: &[AnnotationView]) {
    put_place(page, hunk);
    let mut number = hunk.new_start;
    for run in runs(hunk) {
        let (paint, mark) = if run.stayed { (Paint::Plain, ' ') } else { (Paint::Good, '+') };
        if !run.stayed {
            run.old.iter().for_each(|line| put(page, &run, Paint::Error, '-', line));
        }
        for line in &run.new {
            put(page, &run, paint, mark, line);
            notes::put(page, notes, number..number + 1);
            number += 1;
        }
    }
}

fn put(page: &mut Page, run: &Run<'_>, paint: Paint, mark: char, line: &[u8]) {
    page.put(paint, &format!("{mark}{}", run.line(line))).end();
    if !line.ends_with(b"\n") {
        page.put(Paint::Dim, NO_LINE_FEED).end();
    }
}
