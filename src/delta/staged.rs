//! Data that was written, but that no batch names yet: its checksums wait here for the batch.
//!
//! Once a batch has named any part of such data, that batch's frame vouches for all of it, and later batches that
//! name it again need no checksum: if the first does not survive a power cut, neither do they.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::sums::Summed;
use crate::model::{Place, Record};

#[derive(Debug, Default)]
pub(super) struct Staged {
    ranges: Mutex<BTreeMap<Place, Summed>>,
    /// So that the usual batch, which names nothing staged, takes no lock.
    count: AtomicUsize,
}

impl Staged {
    pub fn add(&self, summed: Summed) {
        let mut ranges = self.ranges.lock();
        ranges.insert(summed.place, summed);
        self.count.store(ranges.len(), Ordering::Release);
    }

    /// Takes out what the records name.
    pub fn take(&self, records: &[Record]) -> Vec<Summed> {
        let mut taken = Vec::new();
        if self.count.load(Ordering::Acquire) > 0 {
            let mut ranges = self.ranges.lock();
            for record in records {
                if let Record::Write { len_bytes, place, .. } = record {
                    take_overlapping(&mut ranges, *place, *len_bytes, &mut taken);
                }
            }
            self.count.store(ranges.len(), Ordering::Release);
        }
        taken
    }

    /// Puts back what a batch took that then failed.
    pub fn put_back(&self, taken: Vec<Summed>) {
        taken.into_iter().for_each(|summed| self.add(summed));
    }

    /// Forgets data that nobody will name. What lies only partly in the range stays: the rest may still be named.
    pub fn forget(&self, place: Place, len_bytes: u64) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut ranges = self.ranges.lock();
            let end = Place { file: place.file, offset: place.offset + len_bytes };
            let inside = |summed: &Summed| summed.place.offset + summed.len_bytes <= end.offset;
            let gone: Vec<Place> =
                ranges.range(place..end).filter(|(_, summed)| inside(summed)).map(|(start, _)| *start).collect();
            for start in gone {
                ranges.remove(&start);
            }
            self.count.store(ranges.len(), Ordering::Release);
        }
    }

    pub fn all(&self) -> Vec<Summed> {
        self.ranges.lock().values().cloned().collect()
    }
}

fn take_overlapping(ranges: &mut BTreeMap<Place, Summed>, place: Place, len_bytes: u64, taken: &mut Vec<Summed>) {
    let end = Place { file: place.file, offset: place.offset + len_bytes };
    while let Some((&start, summed)) = ranges.range(..end).next_back() {
        if start.file != place.file || start.offset + summed.len_bytes <= place.offset {
            break;
        }
        taken.extend(ranges.remove(&start));
    }
}
