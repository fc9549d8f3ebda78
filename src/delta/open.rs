//! Making a delta, and opening one: find the log that counts, replay it, cut off its torn tail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commit::{Commit, Durable};
use super::error::ReplayError;
use super::frame::{self, FrameHeader, FrameKind, LogHeader, SyncMark};
use super::log::Log;
use super::proof::Proof;
use super::scan::{Frames, Scan, scan};
use super::segments::{Segment, Segments};
use super::sums::Summed;
use super::{Delta, DeltaError, Settings, Shared};
use crate::disk::{Disk, File, Open};
use crate::model::{Record, Writer};

/// Takes the batches of a delta in order.
pub type Replay<'a> = &'a mut dyn FnMut(Vec<Record>) -> Result<(), ReplayError>;

const FIRST_LOG: u32 = 1;

/// The files of a delta by number.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub logs: BTreeMap<u32, PathBuf>,
    pub segments: BTreeMap<u32, PathBuf>,
}

impl Found {
    pub fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        for path in disk.list(dir)? {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('.'));
            let Some((kind, Ok(number))) = name.map(|(kind, number)| (kind, number.parse())) else { continue };
            match kind {
                "log" => found.logs.insert(number, path),
                "data" => found.segments.insert(number, path),
                _ => None,
            };
        }
        Ok(found)
    }

    /// Whether all that there is is a first log that does not even say that it is empty. A log that once was whole and
    /// held a change is longer, so it is never taken for one.
    fn is_unfinished(&self, disk: &dyn Disk, dir: &Path) -> Result<bool, DeltaError> {
        let Some(path) = self.logs.get(&FIRST_LOG).filter(|_| self.logs.len() == 1 && self.segments.is_empty()) else {
            return Ok(false);
        };
        if Proof::read(disk, dir)?.is_some() {
            return Ok(false);
        }
        let file = disk.open(path, Open::Write)?;
        let mut mark = Writer::default();
        first_mark().encode(&mut mark);
        let empty_bytes = frame::LOG_HEADER_BYTES + frame::FRAME_HEADER_BYTES + mark.0.len();
        let mut behind = [0; frame::FRAME_HEADER_BYTES];
        let read = file.read_at(empty_bytes as u64, &mut behind)?;
        if behind[..read].iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        Ok(scan(&*file, path)?.is_none_or(|scan| !scan.complete))
    }
}

/// The frame that an empty log begins with.
fn first_mark() -> SyncMark {
    SyncMark { covered: frame::LOG_HEADER_BYTES as u64, durable: 0, gone: Vec::new() }
}

pub(super) fn lock(disk: &dyn Disk, dir: &Path) -> Result<File, DeltaError> {
    let file = disk.open(&dir.join("lock"), Open::CreateOrWrite)?;
    if file.try_lock()? { Ok(file) } else { Err(DeltaError::Busy { path: dir.to_owned() }) }
}

/// Whether a delta was made in this directory. One whose making was cut short was not.
pub(super) fn exists(disk: &dyn Disk, dir: &Path) -> Result<bool, DeltaError> {
    match Found::list(disk, dir) {
        Ok(found) if found.logs.is_empty() => match (Proof::read(disk, dir)?, found.segments.first_key_value()) {
            (None, None) => Ok(false),
            (proof, _) => {
                let path = Segments::path_of_log(dir, proof.map_or(FIRST_LOG, |proof| proof.number));
                Err(DeltaError::Damaged { path, offset: 0, why: "it is missing".into() })
            }
        },
        Ok(found) => Ok(!found.is_unfinished(disk, dir)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes an empty, durable delta, in place of one whose making was cut short.
pub(super) fn create(disk: &Arc<dyn Disk>, dir: &Path, settings: Settings) -> Result<Delta, DeltaError> {
    disk.create_dir(dir)?;
    let lock = lock(&**disk, dir)?;
    let path = Segments::path_of_log(dir, FIRST_LOG);
    let found = Found::list(&**disk, dir)?;
    if found.is_unfinished(&**disk, dir)? {
        disk.remove(&path)?;
    } else if let Some(path) = found.logs.into_values().next() {
        let why = format!("`{}`: the delta exists already", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why).into());
    }
    let file = disk.open(&path, Open::CreateNew)?;
    let header = LogHeader { number: FIRST_LOG, salt: settings.salt, first_seq: 1 };
    let mut log = Log::create(file, path, header, settings.reserve_bytes)?;
    log.mark(FrameKind::DumpEnd, |writer: &mut Writer| first_mark().encode(writer))?;
    log.base_done();
    log.file.sync_data()?;
    disk.sync_dir(dir)?;
    if let Some(parent) = dir.parent() {
        disk.sync_dir(parent)?;
    }
    let segments = Segments::new(Arc::clone(disk), dir, settings.segment_bytes, FIRST_LOG + 1);
    segments.add_log(FIRST_LOG, log.file.clone());
    let commit = Commit::default();
    let seq = log.next_seq() - 1;
    commit.start(seq, Durable { seq, log: FIRST_LOG, end: log.end });
    Ok(Delta::of(Shared::new(dir, settings, lock, log, segments, commit)))
}

/// Opens a delta and replays it.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    replay: Replay<'_>,
) -> Result<Delta, DeltaError> {
    let lock = lock(&**disk, dir)?;
    let found = Found::list(&**disk, dir)?;
    let (number, file, path, mut scan) = choose_log(&**disk, dir, &found)?;
    check_proof(&**disk, dir, number, scan.end)?;
    let highest = found.logs.keys().chain(found.segments.keys()).max().copied().unwrap_or(number);
    let segments = Segments::new(Arc::clone(disk), dir, settings.segment_bytes, 0);
    segments.add_log(number, file.clone());
    let mut lengths = BTreeMap::from([(number, u64::MAX)]);
    for (&number, path) in &found.segments {
        let file = disk.open(path, Open::Write)?;
        lengths.insert(number, file.len()?);
        segments.add_segment(Segment::new(number, file, !scan.clean));
    }
    let ends = BTreeMap::new();
    let checked = !settings.same_boot;
    let mut replayed = Replayed { segments: &segments, lengths, dir, path: &path, log: number, highest, ends, checked };
    let cut = replayed.run(&*file, &mut scan, replay)?;
    let damaged = replayed.damaged_segments(&scan.gone);
    segments.settle_sums();
    let next = replayed.highest.checked_add(1).ok_or_else(|| io::Error::other("file numbers used up"))?;
    segments.set_next_number(next);
    if cut || file.len()? > scan.end {
        // Durable before anything is written behind it, so that the tail cannot come back.
        file.set_len(scan.end)?;
        file.sync_data()?;
    }
    let log = Log::resume(file, path, number, &scan, settings.reserve_bytes);
    let shared = Shared::new(dir, settings, lock, log, segments, Commit::default());
    shared.take_over(&scan, cut, &found, &damaged);
    remove_other_logs(disk, dir, number, &found, &shared)?;
    Ok(Delta::of(shared))
}

/// The newest log that is complete and was not abandoned.
fn choose_log(disk: &dyn Disk, dir: &Path, found: &Found) -> Result<(u32, File, PathBuf, Scan), DeltaError> {
    let mut complete = Vec::new();
    let mut abandoned: BTreeSet<u32> = BTreeSet::new();
    let mut incomplete = None;
    for (&number, path) in &found.logs {
        let file = disk.open(path, Open::Write)?;
        match scan(&*file, path)? {
            Some(scan) if scan.complete => {
                abandoned.extend(&scan.abandoned);
                complete.push((number, file, path.clone(), scan));
            }
            other => incomplete = Some((path.clone(), other.map_or(0, |scan| scan.end))),
        }
    }
    complete.retain(|(number, ..)| !abandoned.contains(number));
    complete.pop().ok_or_else(|| {
        let (path, offset) = incomplete.unwrap_or_else(|| (Segments::path_of_log(dir, FIRST_LOG), 0));
        let why =
            if found.logs.is_empty() { "there is no log" } else { "the state that the log begins with is not whole" };
        DeltaError::Damaged { path, offset, why: why.into() }
    })
}

/// Refuses a log that ends before, or is older than, what is known to have been durable.
fn check_proof(disk: &dyn Disk, dir: &Path, number: u32, end: u64) -> Result<(), DeltaError> {
    let Some(proof) = Proof::read(disk, dir)? else { return Ok(()) };
    let why = if proof.number > number {
        format!("it is missing or not whole, but it counted, and was durable up to byte {}", proof.end)
    } else if proof.number == number && proof.end > end {
        format!("it ends here, but it was durable up to byte {}", proof.end)
    } else {
        return Ok(());
    };
    let offset = if proof.number == number { end } else { 0 };
    Err(DeltaError::Damaged { path: Segments::path_of_log(dir, proof.number), offset, why })
}

/// Other logs go once the chosen one is durable: until then they may be all that a power cut leaves.
fn remove_other_logs(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    number: u32,
    found: &Found,
    shared: &Shared,
) -> Result<(), DeltaError> {
    if found.logs.len() > 1 {
        shared.sync()?;
        disk.sync_dir(dir)?;
        for (_, path) in found.logs.iter().filter(|(other, _)| **other != number) {
            disk.remove(path)?;
        }
    }
    Ok(())
}

/// Takes on the checksums of a batch whose inline data starts at `start`.
pub(super) fn learn(
    segments: &Segments,
    log: u32,
    start: u64,
    header: FrameHeader,
    inline_sums: &[u32],
    sums: &[Summed],
) {
    if header.inline_bytes > 0 {
        segments.with_sums(log, |known| known.load(start, header.inline_bytes as u64, inline_sums));
    }
    for Summed { place, len_bytes, sums } in sums {
        segments.with_sums(place.file, |known| known.load(place.offset, *len_bytes, sums));
    }
}

struct Replayed<'a> {
    segments: &'a Segments,
    /// The length of each file when it was opened.
    lengths: BTreeMap<u32, u64>,
    dir: &'a Path,
    path: &'a Path,
    /// The number of the log.
    log: u32,
    /// The highest number of a file that was ever named.
    highest: u32,
    /// Where the data ends that is named in each segment.
    ends: BTreeMap<u32, u64>,
    /// Whether data that was not durable has to be as its checksums say.
    checked: bool,
}

impl Replayed<'_> {
    /// Hands out all batches. Ends early, and says so, where data that was not durable is not what was written.
    fn run(
        &mut self,
        file: &dyn crate::disk::DiskFile,
        scan: &mut Scan,
        replay: Replay<'_>,
    ) -> Result<bool, DeltaError> {
        let mut frames = Frames::new(file, scan.salt);
        let mut at = frame::LOG_HEADER_BYTES as u64;
        while at < scan.end {
            let Some(frame) = frames.at(at)? else {
                return Err(self.damaged(at, "a frame changed while it was read"));
            };
            let header = frame.header;
            let inline_sums: Vec<u32> = frame::read_sums(frame.inline_sums).collect();
            if matches!(header.kind, FrameKind::Batch | FrameKind::Dump) {
                let batch = frame::decode_batch(frame.meta);
                let (sums, records) = batch.map_err(|error| self.damaged(at, &error.to_string()))?;
                if self.checked && at >= scan.covered && !self.is_there(&sums)? {
                    scan.end = at;
                    scan.next_seq = header.seq;
                    scan.previous = header.previous;
                    return Ok(true);
                }
                self.learn(at, header, &inline_sums, &sums, &records);
                replay(records).map_err(|source| DeltaError::Replay {
                    path: self.path.to_owned(),
                    offset: at,
                    source,
                })?;
            }
            at += header.total_bytes() as u64;
        }
        self.highest = self.highest.max(scan.gone.last().copied().unwrap_or(0));
        self.highest = self.highest.max(scan.abandoned.last().copied().unwrap_or(0));
        Ok(false)
    }

    fn damaged(&self, offset: u64, why: &str) -> DeltaError {
        DeltaError::Damaged { path: self.path.to_owned(), offset, why: why.into() }
    }

    /// Whether the data is what the sums say.
    fn is_there(&self, sums: &[Summed]) -> Result<bool, DeltaError> {
        let mut buf = Vec::new();
        for summed in sums {
            let Summed { place, len_bytes, .. } = summed;
            let end = place.offset.checked_add(*len_bytes);
            match (end, self.lengths.get(&place.file)) {
                (Some(end), Some(len)) if end <= *len => {}
                _ => return Ok(false),
            }
            buf.resize(*len_bytes as usize, 0);
            self.segments.read_unchecked(*place, &mut buf)?;
            if !summed.fits(&buf) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes on the checksums of a batch, and where its data lies.
    fn learn(&mut self, at: u64, header: FrameHeader, inline_sums: &[u32], sums: &[Summed], records: &[Record]) {
        learn(self.segments, self.log, at + frame::FRAME_HEADER_BYTES as u64, header, inline_sums, sums);
        for record in records {
            let Record::Write { place, len_bytes, .. } = record else { continue };
            self.highest = self.highest.max(place.file);
            let end = self.ends.entry(place.file).or_default();
            *end = place.offset.saturating_add(*len_bytes).max(*end);
        }
    }

    /// Segments that lack data which was durable. That is damage, and is told; but what is elsewhere can be had, and
    /// who reads what is missing gets an error.
    fn damaged_segments(&self, gone: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut damaged = BTreeSet::new();
        for (&number, &end) in self.ends.iter().filter(|(number, _)| !gone.contains(number)) {
            let path = Segments::path_of_segment(self.dir, number);
            match self.lengths.get(&number) {
                Some(len) if *len >= end => continue,
                Some(len) => ::log::error!("`{}` is damaged: it has {len} bytes, not {end}", path.display()),
                None => ::log::error!("`{}` is missing, and the data in it", path.display()),
            }
            damaged.insert(number);
        }
        damaged
    }
}

impl Shared {
    /// Takes on what was found: what is durable, where to go on writing, what can be removed.
    fn take_over(&self, scan: &Scan, cut: bool, found: &Found, damaged: &BTreeSet<u32>) {
        let seq = scan.next_seq - 1;
        let log = self.log.lock().number;
        if scan.clean && !cut {
            // The mark that says so may not be durable itself.
            self.commit.start(seq, Durable { seq, log, end: scan.durable });
        } else {
            self.commit.start(seq, Durable { seq: 0, log, end: scan.covered });
            self.commit.dirty.store(true, std::sync::atomic::Ordering::Release);
            self.segments.soil_names();
        }
        for number in found.segments.keys().filter(|number| scan.gone.contains(number)) {
            self.reclaim.remove_after_sync(*number);
        }
        // Nothing is written behind what is missing: its places are taken.
        let usable = |number: &&u32| !scan.gone.contains(number) && !damaged.contains(number);
        let last = found.segments.keys().rev().find(usable);
        if let Some(segment) = last.and_then(|number| self.segments.segment(*number))
            && let Ok(len) = segment.file.len()
        {
            self.segments.resume(segment, len);
        }
    }
}
