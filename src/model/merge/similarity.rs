//! How much of one file is in another, whatever the order: the measure of git (`diffcore-delta.c`).
//!
//! A file is cut into lines, long ones into pieces; the bytes of the pieces that both files have, against the length of
//! the longer file, are how alike they are.

use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

/// A piece is never longer.
const PIECE_BYTES: usize = 64;

/// How alike two files must be, in percent, to be one that was moved and edited.
pub(super) const ENOUGH_PERCENT: u64 = 50;

/// What a file consists of.
pub(super) struct Pieces {
    /// Bytes by the hash of the piece they are in.
    bytes: FxHashMap<u64, u64>,
    len: u64,
}

impl Pieces {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut bytes: FxHashMap<u64, u64> = FxHashMap::default();
        for piece in text.split_inclusive(|&byte| byte == b'\n').flat_map(|line| line.chunks(PIECE_BYTES)) {
            let mut hasher = FxHasher::default();
            hasher.write(piece);
            *bytes.entry(hasher.finish()).or_default() += piece.len() as u64;
        }
        Self { bytes, len: text.len() as u64 }
    }

    /// How alike the two are, in percent.
    pub(super) fn likeness_percent(&self, other: &Self) -> u64 {
        let (few, many) = if self.bytes.len() <= other.bytes.len() { (self, other) } else { (other, self) };
        let shared: u64 =
            few.bytes.iter().map(|(hash, count)| (*count).min(many.bytes.get(hash).copied().unwrap_or(0))).sum();
        shared * 100 / self.len.max(other.len).max(1)
    }
}

/// Whether files of these lengths can be alike at all.
pub(super) fn may_be_alike(a_bytes: u64, b_bytes: u64) -> bool {
    a_bytes.min(b_bytes) * 100 >= a_bytes.max(b_bytes) * ENOUGH_PERCENT && a_bytes.min(b_bytes) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_lines_are_alike_and_others_are_not() {
        let (a, b, c) = (Pieces::of(b"one\ntwo\nthree\n"), Pieces::of(b"three\none\ntwo\n"), Pieces::of(b"four\n"));
        assert_eq!(a.likeness_percent(&b), 100);
        assert_eq!(a.likeness_percent(&c), 0);
        assert_eq!(Pieces::of(b"one\nzwei\n").likeness_percent(&Pieces::of(b"one\n")), 44);
        assert!(may_be_alike(10, 5) && !may_be_alike(10, 4) && !may_be_alike(0, 0));
    }
}
