//! Checksums of data: what a frame says of it, and what a reader checks it against.
//!
//! Data is summed in blocks, so that a part can be checked without reading all of it. Blocks of a segment end where pages
//! of the file end: only whole pages are given back to the disk, so a block is there wholly or not at all. Blocks
//! of data that lies in a log count from its first byte. A sum is 32 bits of xxh3-64.
//!
//! The sums of all data that can be read are kept in memory: 16 bytes for each piece that was written, and 4 for each
//! page of those that are longer than one.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::model::Place;

pub(super) const BLOCK_BYTES: u64 = 4096;

/// The list of pieces grows by one part in so many, and by so many pieces: it is long, and kept for good.
const GROWTH_PART: usize = 8;
const GROWTH_ENTRIES: usize = 64;

/// The checksum of one block.
#[allow(clippy::cast_possible_truncation)] // Half of a good hash is a good hash.
fn block_sum(bytes: &[u8]) -> u32 {
    xxh3_64(bytes) as u32
}

/// Where blocks end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grid {
    /// With the pages of the file.
    Pages,
    /// Counted from the first byte of the data.
    Own,
}

impl Grid {
    /// The end of the block that begins at, or holds, `at`, of data from `start` to `end`.
    fn block_end(self, start: u64, end: u64, at: u64) -> u64 {
        let origin = if self == Self::Pages { 0 } else { start };
        let behind = (at - origin) / BLOCK_BYTES + 1;
        behind.checked_mul(BLOCK_BYTES).and_then(|len| len.checked_add(origin)).map_or(end, |next| next.min(end))
    }

    /// The blocks of data from `start` to `end`, as ranges.
    fn blocks(self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let mut at = start;
        std::iter::from_fn(move || {
            let from = at;
            (from < end).then(|| {
                at = self.block_end(start, end, from);
                (from, at)
            })
        })
    }

    /// How many blocks there are.
    pub fn count(self, start: u64, len: u64) -> u64 {
        let inside = if self == Self::Pages { start % BLOCK_BYTES } else { 0 };
        if len == 0 { 0 } else { (inside + len).div_ceil(BLOCK_BYTES) }
    }

    /// The checksums of the blocks of `bytes`, which lie at `start`.
    pub fn sums(self, start: u64, bytes: &[u8]) -> Vec<u32> {
        let end = start + bytes.len() as u64;
        self.blocks(start, end)
            .map(|(from, upto)| block_sum(&bytes[(from - start) as usize..(upto - start) as usize]))
            .collect()
    }
}

/// Data in a segment, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summed {
    pub place: Place,
    pub len_bytes: u64,
    pub sums: Vec<u32>,
}

impl Summed {
    /// Data that lies, or is about to lie, at a place of a segment.
    pub fn of(place: Place, bytes: &[u8]) -> Self {
        Self { place, len_bytes: bytes.len() as u64, sums: Grid::Pages.sums(place.offset, bytes) }
    }

    /// Whether the bytes are what they must be.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.len_bytes && Grid::Pages.sums(self.place.offset, bytes) == self.sums
    }

    /// Makes sums that fit no bytes: for a copy of data that was damaged before.
    pub fn spoil(&mut self) {
        self.sums.iter_mut().for_each(|sum| *sum = !*sum);
    }
}

/// One piece of data. The sum of a single block stands in it, those of several in a list.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    len: u32,
    /// The sum, or where the sums begin in the list.
    sum: u32,
}

impl Entry {
    fn end(&self) -> u64 {
        self.start + u64::from(self.len)
    }
}

/// The checksums of one file's data.
#[derive(Debug)]
pub(super) struct FileSums {
    grid: Grid,
    /// Sorted by start, and without overlaps, unless `unsorted`.
    entries: Vec<Entry>,
    list: Vec<u32>,
    unsorted: bool,
}

/// What has to be read and checked to have a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cover {
    pub start: u64,
    /// Blocks, one behind the other: the end and the checksum of each.
    blocks: Vec<(u64, u32)>,
}

impl Cover {
    pub fn end(&self) -> u64 {
        self.blocks.last().map_or(self.start, |(end, _)| *end)
    }

    /// The offset of the first block that `bytes`, read from `start` on, have wrong.
    pub fn first_bad(&self, bytes: &[u8]) -> Option<u64> {
        let mut from = self.start;
        for &(end, sum) in &self.blocks {
            let block = bytes.get((from - self.start) as usize..(end - self.start) as usize);
            if block.is_none_or(|block| block_sum(block) != sum) {
                return Some(from);
            }
            from = end;
        }
        None
    }
}

impl FileSums {
    pub fn new(grid: Grid) -> Self {
        Self { grid, entries: Vec::new(), list: Vec::new(), unsorted: false }
    }

    /// Whether the file is a log.
    pub fn is_log(&self) -> bool {
        self.grid == Grid::Own
    }

    /// Takes on data that was just written.
    pub fn add(&mut self, start: u64, len_bytes: u64, sums: &[u32]) {
        self.push(start, len_bytes, sums);
        // Threads that write side by side end in another order than they began; that is never far off.
        let mut at = self.entries.len() - 1;
        while at > 0 && self.entries[at - 1].start > self.entries[at].start {
            self.entries.swap(at - 1, at);
            at -= 1;
        }
    }

    /// Says something else of data that was taken on last.
    pub fn replace(&mut self, start: u64, len_bytes: u64, sums: &[u32]) {
        self.entries.retain(|entry| entry.start != start);
        self.add(start, len_bytes, sums);
    }

    fn push(&mut self, start: u64, len_bytes: u64, sums: &[u32]) {
        let sum = match sums {
            [sum] => *sum,
            _ => {
                let at = self.list.len();
                self.list.extend_from_slice(sums);
                u32::try_from(at).unwrap_or(u32::MAX)
            }
        };
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(self.entries.len() / GROWTH_PART + GROWTH_ENTRIES);
        }
        self.entries.push(Entry { start, len: u32::try_from(len_bytes).unwrap_or(u32::MAX), sum });
    }

    /// Takes on data that a log names, in any order and perhaps more than once; [`FileSums::settle`] has to follow.
    pub fn load(&mut self, start: u64, len_bytes: u64, sums: &[u32]) {
        if start.checked_add(len_bytes).is_none() {
            return;
        }
        self.unsorted |= self.entries.last().is_some_and(|last| last.end() > start);
        self.push(start, len_bytes, sums);
    }

    /// Sorts what was loaded. Where pieces overlap they say the same: each begins and ends where blocks do.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.unsorted) {
            let mut entries = std::mem::take(&mut self.entries);
            entries.sort_unstable_by_key(|entry| (entry.start, std::cmp::Reverse(entry.len)));
            let list = std::mem::take(&mut self.list);
            let mut upto = 0;
            for entry in entries {
                if entry.end() > upto {
                    let from = entry.start.max(upto);
                    self.keep(&list, entry, from, entry.end());
                    upto = entry.end();
                }
            }
        }
        self.entries.shrink_to_fit();
        self.list.shrink_to_fit();
    }

    /// Forgets what lies wholly in ranges (start, end) that are not there any more.
    pub fn prune(&mut self, dead: &BTreeMap<u64, u64>) {
        let is_dead =
            |entry: &Entry| dead.range(..=entry.start).next_back().is_some_and(|(_, end)| entry.end() <= *end);
        let dead_entries = self.entries.iter().filter(|entry| is_dead(entry)).count();
        // Most data dies soon after it was written, so this is worth while often enough.
        if dead_entries * 8 < self.entries.len() {
            return;
        }
        let entries = std::mem::take(&mut self.entries);
        let list = std::mem::take(&mut self.list);
        for entry in entries.into_iter().filter(|entry| !is_dead(entry)) {
            self.keep(&list, entry, entry.start, entry.end());
        }
        self.entries.shrink_to_fit();
        self.list.shrink_to_fit();
    }

    /// Takes over blocks of an entry whose sums are in another list.
    fn keep(&mut self, list: &[u32], entry: Entry, from: u64, upto: u64) {
        let sums = self.sums_of(list, entry);
        let skip = self.grid.count(entry.start, from - entry.start) as usize;
        let sums: Vec<u32> = sums.into_iter().skip(skip).collect();
        self.push(from, upto - from, &sums);
    }

    fn sums_of(&self, list: &[u32], entry: Entry) -> Vec<u32> {
        match self.grid.count(entry.start, entry.len.into()) as usize {
            1 => vec![entry.sum],
            count => list.get(entry.sum as usize..entry.sum as usize + count).unwrap_or_default().to_vec(),
        }
    }

    /// The blocks that hold a range; `None` when nothing is known of a part of it.
    pub fn cover(&self, start: u64, len_bytes: u64) -> Option<Cover> {
        let end = start.checked_add(len_bytes)?;
        let mut cover = Cover { start, blocks: Vec::new() };
        let mut at = self.entries.partition_point(|entry| entry.start <= start).checked_sub(1)?;
        let mut next = start;
        while next < end {
            let entry = *self.entries.get(at).filter(|entry| entry.start <= next && next < entry.end())?;
            let several = self.grid.count(entry.start, entry.len.into()) > 1;
            for (index, (from, upto)) in self.grid.blocks(entry.start, entry.end()).enumerate() {
                if upto <= next || from >= end {
                    continue;
                }
                if cover.blocks.is_empty() {
                    cover.start = from;
                }
                let sum = if several { *self.list.get(entry.sum as usize + index)? } else { entry.sum };
                cover.blocks.push((upto, sum));
            }
            next = entry.end();
            at += 1;
        }
        Some(cover)
    }

    /// What a new log has to say of a range of a segment, so that it can be checked from there too.
    pub fn summed(&self, place: Place, len_bytes: u64) -> Vec<Summed> {
        let Some(cover) = self.cover(place.offset, len_bytes) else { return Vec::new() };
        // Pieces of their own wherever a block does not end with a page, so that each has its blocks on the grid.
        let mut pieces: Vec<Summed> = Vec::new();
        let mut from = cover.start;
        for &(end, sum) in &cover.blocks {
            match pieces.last_mut() {
                Some(last) if from.is_multiple_of(BLOCK_BYTES) => {
                    last.len_bytes += end - from;
                    last.sums.push(sum);
                }
                _ => pieces.push(Summed {
                    place: Place { file: place.file, offset: from },
                    len_bytes: end - from,
                    sums: vec![sum],
                }),
            }
            from = end;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 4096) as u8).collect()
    }

    /// Pieces of all sizes, one behind the other, in a file that also has a gap.
    fn file(grid: Grid) -> (FileSums, Vec<u8>, Vec<(u64, u64)>) {
        let all = bytes(60_000);
        let mut sums = FileSums::new(grid);
        let mut pieces = Vec::new();
        let mut at = 100;
        for len in [1, 50, 4096, 5000, 12_288, 3, 8192, 9000] {
            sums.add(at, len, &grid.sums(at, &all[at as usize..(at + len) as usize]));
            pieces.push((at, at + len));
            at += len;
        }
        (sums, all, pieces)
    }

    #[test]
    fn every_range_is_covered_by_blocks_that_fit() {
        for grid in [Grid::Pages, Grid::Own] {
            let (sums, mut all, pieces) = file(grid);
            let (first, last) = (pieces[0].0, pieces[pieces.len() - 1].1);
            for start in (first..last).step_by(61) {
                for len in [1, 60, 4096, 10_000] {
                    let cover = sums.cover(start, len);
                    assert_eq!(cover.is_some(), start + len <= last, "{start} {len}");
                    let Some(cover) = cover else { continue };
                    assert!(cover.start <= start && cover.end() >= start + len);
                    assert!(start - cover.start < BLOCK_BYTES && cover.end() - (start + len) < BLOCK_BYTES);
                    let range = cover.start as usize..cover.end() as usize;
                    assert_eq!(cover.first_bad(&all[range.clone()]), None);
                    all[start as usize] ^= 4;
                    let bad = cover.first_bad(&all[range]).unwrap();
                    all[start as usize] ^= 4;
                    assert!(bad <= start && start < bad + BLOCK_BYTES);
                }
            }
            assert_eq!(sums.cover(first - 1, 1), None);
        }
    }

    #[test]
    fn what_was_said_of_ranges_covers_them_again() {
        let (sums, all, pieces) = file(Grid::Pages);
        let (first, last) = (pieces[0].0, pieces[pieces.len() - 1].1);
        let mut again = FileSums::new(Grid::Pages);
        // Ranges that share blocks, backwards.
        let ranges: Vec<(u64, u64)> = (first..last).step_by(1500).map(|at| (at, (last - at).min(1500))).collect();
        for &(start, len) in ranges.iter().rev() {
            for piece in sums.summed(Place { file: 1, offset: start }, len) {
                let range = piece.place.offset as usize..(piece.place.offset + piece.len_bytes) as usize;
                assert!(piece.fits(&all[range]), "{piece:?}");
                again.load(piece.place.offset, piece.len_bytes, &piece.sums);
            }
        }
        again.settle();
        for (start, len) in ranges {
            let cover = again.cover(start, len).unwrap();
            assert_eq!(cover.first_bad(&all[cover.start as usize..cover.end() as usize]), None);
        }
    }

    #[test]
    fn what_is_dead_is_forgotten_and_the_rest_is_not() {
        let (mut sums, all, pieces) = file(Grid::Pages);
        let dead = BTreeMap::from([(pieces[1].0, pieces[3].1), (pieces[5].0, pieces[5].1)]);
        sums.prune(&dead);
        for (at, &(from, upto)) in pieces.iter().enumerate() {
            let cover = sums.cover(from, upto - from);
            assert_eq!(cover.is_none(), [1, 2, 3, 5].contains(&at), "piece {at}");
            if let Some(cover) = cover {
                assert_eq!(cover.first_bad(&all[cover.start as usize..cover.end() as usize]), None);
            }
        }
    }
}
