//! How one file differs, by lines.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};

use crate::model::merge::{is_binary, lines, numbered};
use crate::model::{ChangeKind, Kind};
use crate::overlay::{Error, SnapshotBody, SnapshotEntry};

use super::content::FileOf;
use super::{Change, TreeView};

/// The longest file that is compared by lines, in bytes.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// So long two texts are compared to tell their difference in few lines. Only long texts without any likeness, whose lines
/// repeat, take longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines of context around a difference.
const CONTEXT_LINES: usize = 3;

/// How the contents of a change differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileDiff {
    /// They do not, or there are none: directories and special files.
    Same,
    /// Text, with the places that differ.
    Text(Vec<Hunk>),
    /// Not text, or too long for it.
    Binary {
        /// Bytes before; 0 if there was no file.
        old_bytes: u64,
        /// Bytes after; 0 if there is no file.
        new_bytes: u64,
    },
    /// A file became a symbolic link, or the other way: how the one went, and how the other came.
    Replaced(Box<FileDiff>, Box<FileDiff>),
}

/// One place where a text differs, with the lines around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The number of its first line in the old text, from 1; if it has none there, that of the line before.
    pub old_start: usize,
    /// How many lines of the old text it covers.
    pub old_lines: usize,
    /// As `old_start`, in the new text.
    pub new_start: usize,
    /// As `old_lines`, in the new text.
    pub new_lines: usize,
    /// The lines, deletions before insertions.
    pub lines: Vec<Line>,
}

/// One line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which text it is in.
    pub kind: LineKind,
    /// Its bytes with the line feed, which only the last line of a text can lack.
    pub text: Vec<u8>,
}

/// Which text a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// In both.
    Context,
    /// In the old one.
    Deleted,
    /// In the new one.
    Inserted,
}

impl FileDiff {
    /// How the contents of `change` differ; `old` and `new` are the trees it was found between.
    ///
    /// # Errors
    /// [`Error`] when a file cannot be read.
    pub fn of(change: &Change, old: &dyn TreeView, new: &dyn TreeView) -> Result<Self, Error> {
        let (before, after) = (change.old.as_ref(), change.new.as_ref());
        let (old_bytes, new_bytes) = change.sizes();
        let too_long = |entry: Option<&SnapshotEntry>| entry.is_some_and(|entry| entry.attr.size > MAX_TEXT_BYTES);
        if too_long(before) || too_long(after) {
            return Ok(Self::Binary { old_bytes, new_bytes });
        }
        let is_shown = |entry: Option<&SnapshotEntry>| entry.is_some_and(|entry| is_shown(entry.attr.kind));
        let replaced = change.kind == ChangeKind::TypeChanged && is_shown(before) && is_shown(after);
        let (before, after) = (text_of(before, old)?, text_of(after, new)?);
        if replaced {
            return Ok(Self::Replaced(Self::between(&before, b"").into(), Self::between(b"", &after).into()));
        }
        Ok(Self::between(&before, &after))
    }

    /// How two contents differ.
    #[must_use]
    pub fn between(old: &[u8], new: &[u8]) -> Self {
        if old == new {
            return Self::Same;
        }
        if is_binary(old) || is_binary(new) {
            return Self::Binary { old_bytes: old.len() as u64, new_bytes: new.len() as u64 };
        }
        let (old, new) = (lines(old), lines(new));
        let groups = group_diff_ops(operations(&old, &new), CONTEXT_LINES);
        Self::Text(groups.iter().filter_map(|ops| hunk(ops, &old, &new)).collect())
    }

    /// Lines inserted and deleted.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        match self {
            Self::Same | Self::Binary { .. } => (0, 0),
            Self::Text(hunks) => {
                let lines = || hunks.iter().flat_map(|hunk| &hunk.lines);
                let count = |kind| lines().filter(|line| line.kind == kind).count() as u64;
                (count(LineKind::Inserted), count(LineKind::Deleted))
            }
            Self::Replaced(gone, came) => (came.counts().0, gone.counts().1),
        }
    }
}

/// What a diff shows as the content: the bytes of a file, the target of a symbolic link.
fn text_of(entry: Option<&SnapshotEntry>, view: &dyn TreeView) -> Result<Vec<u8>, Error> {
    match entry.map(|entry| (&entry.body, entry)) {
        Some((SnapshotBody::File(_), entry)) => FileOf { view, entry }.bytes(),
        Some((SnapshotBody::Symlink(target), _)) => Ok(target.to_vec()),
        _ => Ok(Vec::new()),
    }
}

/// Whether git would show a kind at all.
pub(super) fn is_shown(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Symlink)
}

/// How to make the new text of the old one. A better way is looked for as long as [`PATIENCE`] lasts: after that, what was
/// not compared yet goes as a whole, and comes as a whole.
pub(in crate::ops) fn operations(old: &[&[u8]], new: &[&[u8]]) -> Vec<DiffOp> {
    operations_until(old, new, Instant::now() + PATIENCE)
}

fn operations_until(old: &[&[u8]], new: &[&[u8]], deadline: Instant) -> Vec<DiffOp> {
    let (old, new) = numbered(old, new);
    capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline))
}

fn hunk(ops: &[DiffOp], old: &[&[u8]], new: &[&[u8]]) -> Option<Hunk> {
    let (first, last) = (ops.first()?, ops.last()?);
    let old_range = first.old_range().start..last.old_range().end;
    let new_range = first.new_range().start..last.new_range().end;
    let mut lines = Vec::new();
    let mut add = |kind, texts: &[&[u8]]| {
        lines.extend(texts.iter().map(|text| Line { kind, text: text.to_vec() }));
    };
    for op in ops {
        if let DiffOp::Equal { .. } = op {
            add(LineKind::Context, &old[op.old_range()]);
        } else {
            add(LineKind::Deleted, &old[op.old_range()]);
            add(LineKind::Inserted, &new[op.new_range()]);
        }
    }
    let start = |range: &std::ops::Range<usize>| if range.is_empty() { range.start } else { range.start + 1 };
    Some(Hunk {
        old_start: start(&old_range),
        old_lines: old_range.len(),
        new_start: start(&new_range),
        new_lines: new_range.len(),
        lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunk_has_three_lines_of_context_and_counts_from_one() {
        let old: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let new = old.replace("10\n", "ten\n");
        let FileDiff::Text(hunks) = FileDiff::between(old.as_bytes(), new.as_bytes()) else { panic!() };
        assert_eq!(hunks.len(), 1);
        assert_eq!((hunks[0].old_start, hunks[0].old_lines, hunks[0].new_start, hunks[0].new_lines), (7, 7, 7, 7));
        assert_eq!(hunks[0].lines[3], Line { kind: LineKind::Deleted, text: b"10\n".to_vec() });
        assert_eq!(FileDiff::Text(hunks).counts(), (1, 1));
    }

    #[test]
    fn what_is_told_when_time_is_over_makes_the_new_text_too() {
        let text = |seed: u64| -> Vec<u8> {
            let word = |at: u64| (at.wrapping_mul(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as u8;
            (1..6000).flat_map(|at| [b'a' + word(at), b'\n']).collect()
        };
        let (old, new) = (text(3), text(7));
        let (old, new) = (lines(&old), lines(&new));
        for patience in [Duration::ZERO, Duration::from_millis(1), PATIENCE] {
            let (mut made, mut at): (Vec<&[u8]>, _) = (Vec::new(), 0);
            for op in operations_until(&old, &new, Instant::now() + patience) {
                assert_eq!(op.old_range().start, at);
                at = op.old_range().end;
                let is_equal = matches!(op, DiffOp::Equal { .. });
                made.extend(if is_equal { &old[op.old_range()] } else { &new[op.new_range()] });
            }
            assert!(at == old.len() && made == new, "{patience:?}");
        }
    }

    #[test]
    fn a_nul_byte_makes_a_file_binary_and_other_bytes_do_not() {
        assert!(matches!(FileDiff::between(b"a\0", b"b"), FileDiff::Binary { old_bytes: 2, new_bytes: 1 }));
        assert!(matches!(FileDiff::between(b"\xff\n", b"\xfe\n"), FileDiff::Text(_)));
        assert_eq!(FileDiff::between(b"\0", b"\0"), FileDiff::Same);
    }
}
