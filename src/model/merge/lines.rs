//! Texts as lines of bytes, and how two of them differ.
//!
//! A line ends with its line feed; a carriage return before it is part of the line. Nothing is decoded.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// How far into a file a NUL byte makes it binary, in bytes; as git has it (`buffer_is_binary`).
const PROBE_BYTES: usize = 8000;

/// Whether some bytes are no text.
#[must_use]
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(PROBE_BYTES)].contains(&0)
}

pub(super) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').collect()
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
    for op in capture_diff_slices(Algorithm::Histogram, old, new) {
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
