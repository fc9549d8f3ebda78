//! Notes beside the lines that they are about.

use std::ops::Range;

use super::AnnotationView;
use crate::ops::changes::{FileDiff, Hunk};
use crate::ui::Page;

/// Whether the last line of a note is one of those that are shown.
pub(super) fn is_beside(diff: &FileDiff, note: &AnnotationView) -> bool {
    let is_in = |hunk: &Hunk| note.last_line().is_some_and(|last| lines(hunk).contains(&last));
    match diff {
        FileDiff::Text(hunks) => hunks.iter().any(is_in),
        FileDiff::Replaced(_, came) => is_beside(came, note),
        FileDiff::Same | FileDiff::Binary { .. } => false,
    }
}

/// The lines of the new text that a hunk shows.
fn lines(hunk: &Hunk) -> Range<u64> {
    // Where it shows none, it begins behind the line that `new_start` names.
    let start = hunk.new_start as u64;
    start..start + hunk.new_lines as u64
}

/// Shows the notes that end with these lines of the new text.
pub(super) fn put(page: &mut Page, notes: &[AnnotationView], lines: Range<usize>) {
    let is_here = |note: &&AnnotationView| note.last_line().is_some_and(|last| lines.contains(&(last as usize)));
    notes.iter().filter(is_here).for_each(|note| note.put_beside(page, false));
}
