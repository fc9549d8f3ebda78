//! Lines as they are now, with `[-what went-]` and `{+what came+}` in them.

use super::unified::NO_LINE_FEED;
use super::{AnnotationView, Run, notes, put_place, runs, safe};
use crate::ops::changes::{Hunk, LineKind, Piece, words};
use crate::ui::{Page, Paint};

pub(super) fn show(page: &mut Page, hunk: &Hunk, notes: &[AnnotationView]) {
    put_place(page, hunk);
    let mut number = hunk.new_start;
    for run in runs(hunk) {
        let lines = number..number + run.new.len();
        number = lines.end;
        if run.stayed {
            for (line, number) in run.new.iter().zip(lines.clone()) {
                page.line(&run.line(line));
                notes::put(page, notes, number..number + 1);
            }
        } else {
            put_run(page, &run);
        }
        for (lines, mark) in [(&run.old, "-"), (&run.new, "+")] {
            if !run.stayed && lines.last().is_some_and(|line| !line.ends_with(b"\n")) {
                page.put(Paint::Dim, &format!("{mark} {NO_LINE_FEED}")).end();
            }
        }
        if !run.stayed {
            notes::put(page, notes, lines);
        }
    }
}

fn put_run(page: &mut Page, run: &Run<'_>) {
    let text = |lines: &[&[u8]]| {
        let bytes = lines.concat();
        if run.returns { strip_returns(&bytes) } else { bytes }
    };
    let mut column = 0;
    for Piece { kind, text } in words(&text(&run.old), &text(&run.new)) {
        let (paint, open, close) = match kind {
            LineKind::Context => (Paint::Plain, "", ""),
            LineKind::Deleted => (Paint::Error, "[-", "-]"),
            LineKind::Inserted => (Paint::Good, "{+", "+}"),
        };
        for part in text.split_inclusive(|&byte| byte == b'\n') {
            let line = part.strip_suffix(b"\n");
            let shown = safe::text(line.unwrap_or(part), column);
            if !shown.is_empty() || kind != LineKind::Context {
                page.put(paint, &format!("{open}{shown}{close}"));
            }
            column += safe::width(&shown) + open.len() + close.len();
            if line.is_some() {
                page.end();
                column = 0;
            }
        }
    }
    if column > 0 {
        page.end();
    }
}

fn strip_returns(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    lines.flat_map(|line| line.strip_suffix(b"\r\n").into_iter().flatten().chain(b"\n")).copied().collect()
}
