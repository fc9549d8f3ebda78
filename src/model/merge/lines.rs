//! Texts as lines of bytes, and how two of them differ.
//!
//! A line ends with its line feed; a carriage return before it is part of the line. Nothing is decoded.

use std::ops::Range;

use rustc_hash::FxHashMap;
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// How far into a file a NUL byte makes it binary, in bytes; as git has it (`buffer_is_binary`).
const PROBE_BYTES: usize = 8000;

/// Longer texts are compared by an algorithm whose time is bounded, which tells edits a little less as people would.
const MAX_HISTOGRAM_LINES: usize = 8000;

/// Whether some bytes are no text.
#[must_use]
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(PROBE_BYTES)].contains(&0)
}

/// A text as its lines, each with the line feed that ends it.
#[must_use]
pub fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').collect()
}

/// Numbers in the place of lines (or words), the same for the same: they are compared many times.
#[must_use]
pub fn numbered<'a>(old: &[&'a [u8]], new: &[&'a [u8]]) -> (Vec<u32>, Vec<u32>) {
    let mut known: FxHashMap<&'a [u8], u32> = FxHashMap::default();
    let mut number = |line: &&'a [u8]| {
        let next = known.len() as u32;
        *known.entry(*line).or_insert(next)
    };
    (old.iter().map(&mut number).collect(), new.iter().map(&mut number).collect())
}

/// A run of lines of the first text that became a run of lines of the second one; one of them may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// The edits that turn one text into the other, in their order. Between two of them is a line that stayed.
pub(super) fn edits(old: &[&[u8]], new: &[&[u8]]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let (old, new) = numbered(old, new);
    // It takes quadratic time where every other line changed; the other one gives up looking for the best.
    let algorithm =
        if old.len().max(new.len()) > MAX_HISTOGRAM_LINES { Algorithm::Myers } else { Algorithm::Histogram };
    for op in capture_diff_slices(algorithm, &old, &new) {
        if let DiffOp::Equal { .. } = op {
            continue;
        }
        match edits.last_mut() {
            Some(last) if last.old.end == op.old_range().start && last.new.end == op.new_range().start => {
                last.old.end = op.old_range().end;
                last.new.end = op.new_range().end;
            }
            _ => edits.push(Edit { old: op.old_range(), new: op.new_range() }),
        }
    }
    edits
}
