//! What the tests of the delta share: a disk in memory, batches that can be told apart, and what an open finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aether::delta::{Delta, DeltaError, Settings};
use aether::disk::{Disk, SimDisk};
use aether::model::{Place, Record, Timestamp};
use aether::overlay::{Payload, Upper};

pub const TIME: Timestamp = Timestamp { secs: 1, nanos: 2 };

pub fn dir() -> PathBuf {
    PathBuf::from("/sessions/one")
}

pub fn settings() -> Settings {
    Settings {
        salt: 7,
        segment_bytes: 64 << 10,
        inline_bytes: 1024,
        inline_appends: 4,
        flush_delay: Duration::from_millis(50),
        reserve_bytes: 16 << 10,
        ..Settings::default()
    }
}

pub fn shared(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub fn create(disk: &SimDisk) -> Delta {
    disk.create_dir(Path::new("/sessions")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    Delta::create(&shared(disk), &dir(), settings()).unwrap()
}

/// One batch as an open finds it: its number, and the bytes of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub number: u64,
    pub payload: Option<Vec<u8>>,
}

/// The bytes that the `number`-th batch writes.
pub fn payload_of(number: u64, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number as usize * 31 + at * 7 + at / 251) as u8).collect()
}

/// Appends a batch that can be told apart, with a payload of `len` bytes, or none for 0.
pub fn append(delta: &Delta, number: u64, len: usize) -> std::io::Result<Option<Place>> {
    let bytes = payload_of(number, len);
    let record = Record::Drop { ino: number };
    let payload = (len > 0).then_some(Payload { ino: number, offset: 0, bytes: &bytes, time: TIME });
    delta.append(&[record], payload)
}

pub fn try_open(disk: &SimDisk, dir: &Path) -> Result<(Delta, Vec<Seen>), DeltaError> {
    let mut batches = Vec::new();
    let delta = Delta::open(&shared(disk), dir, settings(), &mut |records| {
        batches.push(records);
        Ok(())
    })?;
    let seen = batches.iter().filter_map(|batch| see(&delta, batch)).collect();
    Ok((delta, seen))
}

fn see(delta: &Delta, batch: &[Record]) -> Option<Seen> {
    let [Record::Drop { ino }, rest @ ..] = batch else { return None };
    let payload = rest.iter().find_map(|record| {
        let Record::Write { len_bytes, place, .. } = record else { return None };
        let mut bytes = vec![0; *len_bytes as usize];
        delta.read(*place, &mut bytes).unwrap();
        Some(bytes)
    });
    Some(Seen { number: *ino, payload })
}

pub fn open(disk: &SimDisk) -> (Delta, Vec<Seen>) {
    try_open(disk, &dir()).unwrap()
}

/// What an open finds after the batches 1 to `count`, with payload lengths as `len_of` has them.
pub fn expected(count: u64, len_of: impl Fn(u64) -> usize) -> Vec<Seen> {
    (1..=count)
        .map(|number| Seen {
            number,
            payload: Some(payload_of(number, len_of(number))).filter(|bytes| !bytes.is_empty()),
        })
        .collect()
}
