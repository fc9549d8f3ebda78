//! Where a large directory is cut: by its names alone, so that one more entry moves few cuts.
//!
//! A run of entries is cut before a name whose hash says so, once the run has a minimum of entries; a maximum bounds
//! it. As the hash of a name never changes, the cuts after a change are where they were, but for those near it. The rule
//! is part of the on-disk format.

use std::ops::Range;

/// A directory of up to this many entries, or a branch of so many children, is not split…
const WHOLE: usize = 2048;
/// …if its encoding is not much longer than this, in bytes.
const WHOLE_BYTES: usize = 1 << 20;

const MIN: usize = 128;
const MAX: usize = 4096;
/// On average this many entries follow after the minimum.
const MORE: u64 = 1024;

/// The runs that items are split into. `name` is an item's (first) name, `weight` about its length when encoded, in
/// bytes. Levels above the lowest use other bits of the hash: every name there is one that a cut was made at.
pub(super) fn split<T>(
    items: &[T],
    level: u32,
    name: impl Fn(&T) -> &[u8],
    weight: impl Fn(&T) -> usize,
) -> Vec<Range<usize>> {
    if items.len() <= WHOLE && items.iter().map(&weight).sum::<usize>() <= WHOLE_BYTES {
        return std::iter::once(0..items.len()).collect();
    }
    let mut runs = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let (count, weight) = (at - start, weight(item));
        let asked = || (xxhash_rust::xxh3::xxh3_64(name(item)) >> (10 * level.min(5))).is_multiple_of(MORE);
        if count >= MAX || count > 0 && bytes + weight > WHOLE_BYTES || count >= MIN && asked() {
            runs.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += weight;
    }
    runs.push(start..items.len());
    runs
}
