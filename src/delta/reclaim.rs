//! Giving back the space of data that nothing refers to.
//!
//! A range passes through these states, and a batch of ranges moves on together:
//!
//! 1. *released*: no batch from now on refers to it; the batches that say so may not be durable yet;
//! 2. *unconfirmed*: a sync that covers those batches is under way;
//! 3. *ready*: that sync succeeded, so no state that a recovery could give refers to the range;
//! 4. *waiting*: a reader that looked up a place earlier may still be reading it. Readers hold an epoch; when a batch
//!    starts to wait, a new epoch begins, and when nobody holds the old one any more the batch can go. Only one batch waits at a
//!    time, since a reader of the old epoch may hold places of later batches too;
//! 5. punched out of its segment, or removed with the file when nothing of it is left.
//!
//! Dead ranges that touch are merged, because only whole pages can be given back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::segments::Segments;
use crate::model::Place;

const PAGE_BYTES: u64 = 4096;

/// The most that is given back at a time: writers of the file wait meanwhile.
const PUNCH_BYTES: u64 = 8 << 20;

/// A whole number of pages to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hole {
    file: u32,
    offset: u64,
    len_bytes: u64,
}

#[derive(Debug, Default)]
struct Work {
    holes: Vec<Hole>,
    files: BTreeSet<u32>,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.holes.is_empty() && self.files.is_empty()
    }

    fn absorb(&mut self, other: Self) {
        self.holes.extend(other.holes);
        self.files.extend(other.files);
    }
}

/// The dead ranges of one file, by start; they do not touch.
#[derive(Debug, Default)]
struct Ranges {
    ends: BTreeMap<u64, u64>,
    total_bytes: u64,
}

/// What is dead in one file.
#[derive(Debug, Default)]
struct Dead {
    ranges: Ranges,
    /// The part of it that was given back.
    punched: Ranges,
}

impl Ranges {
    /// Adds a range; returns the one it has become part of.
    fn add(&mut self, mut start: u64, mut end: u64) -> (u64, u64) {
        while let Some((&other, &other_end)) = self.ends.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.ends.remove(&other);
            self.total_bytes -= other_end - other;
            start = start.min(other);
            end = end.max(other_end);
        }
        self.ends.insert(start, end);
        self.total_bytes += end - start;
        (start, end)
    }
}

#[derive(Debug, Default)]
struct Stages {
    dead: HashMap<u32, Dead>,
    unconfirmed: Work,
    ready: Work,
    waiting: Option<(Arc<()>, Work)>,
    /// Segments that are on their way out; every sync mark names them until their files are gone.
    leaving: BTreeSet<u32>,
    /// Logs that were replaced, each with the last batch before that.
    retired: Vec<(u32, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Reclaim {
    released: Mutex<Vec<(Place, u64)>>,
    epoch: Mutex<Arc<()>>,
    stages: Mutex<Stages>,
}

impl Reclaim {
    pub fn pin(&self) -> Arc<()> {
        Arc::clone(&self.epoch.lock())
    }

    pub fn release(&self, ranges: &[(Place, u64)]) {
        self.released.lock().extend(ranges.iter().filter(|(_, len)| *len > 0));
    }

    /// State 1 to 2. To be called before the sync takes the log's end. Returns the segments that the sync mark is to
    /// call gone: those with nothing left in them.
    pub fn begin_sync(&self, segments: &Segments, appended: u64) -> Vec<u32> {
        let released = std::mem::take(&mut *self.released.lock());
        let mut stages = self.stages.lock();
        let stages = &mut *stages;
        let used_up = |(_, seq): &mut (u32, u64)| *seq < appended;
        stages.unconfirmed.files.extend(stages.retired.extract_if(.., used_up).map(|(number, _)| number));
        let mut touched = BTreeSet::new();
        for (place, len_bytes) in released {
            let (start, end) = (place.offset, place.offset + len_bytes);
            let (merged_start, merged_end) = stages.dead.entry(place.file).or_default().ranges.add(start, end);
            if segments.segment(place.file).is_none() || stages.leaving.contains(&place.file) {
                continue;
            }
            touched.insert(place.file);
            // Pages that the range touches, as far as the merged range holds them wholly.
            let from = merged_start.next_multiple_of(PAGE_BYTES).max(start - start % PAGE_BYTES);
            let upto = (merged_end - merged_end % PAGE_BYTES).min(end.next_multiple_of(PAGE_BYTES));
            if from < upto {
                stages.unconfirmed.holes.push(Hole { file: place.file, offset: from, len_bytes: upto - from });
            }
        }
        let current = segments.current().map(|(number, _)| number);
        for number in touched {
            let len = segments.segment(number).and_then(|segment| segment.file.len().ok());
            let dead = stages.dead.get(&number).map_or(0, |dead| dead.ranges.total_bytes);
            if current != Some(number) && len.is_some_and(|len| dead >= len) {
                stages.unconfirmed.files.insert(number);
                stages.leaving.insert(number);
            }
        }
        stages.leaving.iter().copied().collect()
    }

    /// Has a file removed after the next successful sync.
    pub fn remove_after_sync(&self, number: u32) {
        let mut stages = self.stages.lock();
        stages.unconfirmed.files.insert(number);
        stages.leaving.insert(number);
    }

    /// Has a log removed that a newer one replaced, once something was appended after batch `seq`: until then readers may still
    /// look up places in it.
    pub fn retire(&self, number: u32, seq: u64) {
        self.stages.lock().retired.push((number, seq));
    }

    /// Has all retired logs removed: there is nobody any more who would look up a place.
    pub fn retire_now(&self) {
        let stages = &mut *self.stages.lock();
        stages.ready.files.extend(stages.retired.drain(..).map(|(number, _)| number));
    }

    /// State 2 to 3: what `begin_sync` took is confirmed.
    pub fn sync_done(&self) {
        let mut stages = self.stages.lock();
        let confirmed = std::mem::take(&mut stages.unconfirmed);
        stages.ready.absorb(confirmed);
    }

    /// States 3 to 5, as far as readers allow. Never waits for them.
    ///
    /// # Errors
    /// The first error of the disk; what could not be given back stays where it is and is counted as dead.
    pub fn advance(&self, segments: &Segments) -> io::Result<()> {
        let Some(mut stages) = self.stages.try_lock() else { return Ok(()) };
        loop {
            if let Some((epoch, _)) = &mut stages.waiting
                && Arc::get_mut(epoch).is_none()
            {
                return Ok(());
            }
            if let Some((_, work)) = stages.waiting.take() {
                stages.carry_out(work, segments)?;
            }
            if stages.ready.is_empty() {
                return Ok(());
            }
            let work = std::mem::take(&mut stages.ready);
            let old = std::mem::take(&mut *self.epoch.lock());
            stages.waiting = Some((old, work));
        }
    }

    /// Bytes of dead ranges that still take space.
    pub fn dead_bytes(&self) -> u64 {
        let stages = self.stages.lock();
        stages.dead.values().map(|dead| dead.ranges.total_bytes.saturating_sub(dead.punched.total_bytes)).sum()
    }
}

/// The same holes, as few as there can be of no more than a certain size: many small files that were removed lie one behind
/// the other, and giving back costs by the call.
fn joined(mut holes: Vec<Hole>) -> Vec<Hole> {
    holes.sort_unstable_by_key(|hole| (hole.file, hole.offset));
    let mut out: Vec<Hole> = Vec::new();
    for hole in holes {
        let end = hole.offset + hole.len_bytes;
        match out.last_mut() {
            Some(last)
                if last.file == hole.file
                    && hole.offset <= last.offset + last.len_bytes
                    && end - last.offset <= PUNCH_BYTES =>
            {
                last.len_bytes = last.len_bytes.max(end - last.offset);
            }
            _ => out.push(hole),
        }
    }
    out
}

impl Stages {
    fn carry_out(&mut self, work: Work, segments: &Segments) -> io::Result<()> {
        let mut result = Ok(());
        for number in &work.files {
            self.dead.remove(number);
            self.leaving.remove(number);
            result = result.and(segments.remove(*number));
        }
        let mut touched = BTreeSet::new();
        let holes = work.holes.into_iter().filter(|hole| !work.files.contains(&hole.file)).collect();
        for hole in joined(holes) {
            let Some(segment) = segments.segment(hole.file) else { continue };
            match segment.file.punch(hole.offset, hole.len_bytes) {
                Ok(()) => {
                    self.dead.entry(hole.file).or_default().punched.add(hole.offset, hole.offset + hole.len_bytes);
                    touched.insert(hole.file);
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        for number in touched {
            let Some(dead) = self.dead.get(&number) else { continue };
            segments.with_sums(number, |known| known.prune(&dead.punched.ends));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_that_touch_are_given_back_at_once_up_to_a_size() {
        let hole =
            |file, page: u64, pages: u64| Hole { file, offset: page * PAGE_BYTES, len_bytes: pages * PAGE_BYTES };
        let small = vec![hole(1, 3, 1), hole(1, 1, 2), hole(2, 4, 1), hole(1, 5, 1), hole(1, 3, 1), hole(1, 1, 1)];
        assert_eq!(joined(small), [hole(1, 1, 3), hole(1, 5, 1), hole(2, 4, 1)]);
        let most = PUNCH_BYTES / PAGE_BYTES;
        let many = (0..2 * most + 5).rev().map(|page| hole(1, page, 1)).collect();
        assert_eq!(joined(many), [hole(1, 0, most), hole(1, most, most), hole(1, 2 * most, 5)]);
        let large = vec![hole(1, 0, 3 * most), hole(1, 1, 2), hole(1, 3 * most, 1)];
        let pages: u64 = joined(large).iter().map(|hole| hole.offset + hole.len_bytes).max().unwrap() / PAGE_BYTES;
        assert_eq!(pages, 3 * most + 1);
    }
}
