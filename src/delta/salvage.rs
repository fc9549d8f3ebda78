//! What is left of a delta whose log is damaged before its end.
//!
//! The log up to the first bad frame is a state that existed. Frames behind it that are whole can be read too, because each
//! says where it ends, has its number and a checksum under the log's salt; but what they were written upon is not known.
//! So both are handed out, and told apart. Where the log's header is damaged the salt may still stand in it, or beside the log
//! (`proof.rs`); then all that is said above holds, and a log of which only the header is damaged is whole. Nothing is changed
//! on the disk.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, FRAME_HEADER_BYTES, FrameKind, LOG_HEADER_BYTES};
use super::open::{Found, learn, lock};
use super::proof::Proof;
use super::scan::{Frames, Scan, read_through, read_without_header, salt_as_it_stands};
use super::segments::{Segment, Segments};
use super::{DeltaError, Settings};
use crate::disk::{Disk, DiskFile, File, Open};
use crate::model::{Place, Record};
use crate::overlay::{Payload, Pin, Space, Upper};

/// Bytes of the log that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Offset of the first.
    pub from: u64,
    /// Offset behind the last.
    pub upto: u64,
    /// How many entries of the log they were; unknown where nothing readable follows.
    pub entries: Option<u64>,
}

/// Where a batch of a damaged log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before all damage.
    Whole,
    /// Behind damage.
    Later,
}

/// What was found.
#[derive(Debug)]
pub struct Salvage {
    /// The log.
    pub log: PathBuf,
    /// Whether the state that the log begins with is whole; otherwise there is no state that existed.
    pub has_state: bool,
    /// Batches before all damage.
    pub whole: u64,
    /// Readable ones behind damage.
    pub later: u64,
    /// What is lost, in order.
    pub gaps: Vec<Gap>,
    /// The data that the batches name.
    pub data: Arc<Salvaged>,
}

/// The data of a damaged delta. It can be read; changes are taken and written nowhere.
#[derive(Debug)]
pub struct Salvaged {
    segments: Segments,
    _lock: File,
}

/// Reads a delta that cannot be opened, and hands out its batches in order.
///
/// # Errors
/// [`DeltaError::Busy`]; [`DeltaError::Format`]; [`DeltaError::Io`]. Damage is what is reported, and no error.
pub fn salvage(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    each: &mut dyn FnMut(Part, Vec<Record>),
) -> Result<Salvage, DeltaError> {
    let lock = lock(&**disk, dir)?;
    let found = Found::list(&**disk, dir)?;
    let proof = Proof::read(&**disk, dir)?;
    let segments = Segments::new(Arc::clone(disk), dir, Settings::default().segment_bytes, 0);
    for (&number, path) in &found.segments {
        segments.add_segment(Segment::new(number, disk.open(path, Open::Read)?, false));
    }
    let mut salvage = Salvage {
        log: Segments::path_of_log(dir, proof.map_or(1, |proof| proof.number)),
        has_state: false,
        whole: 0,
        later: 0,
        gaps: Vec::new(),
        data: Arc::new(Salvaged { segments, _lock: lock }),
    };
    if let Some((number, path, file, scan)) = choose(&**disk, &found, proof)? {
        salvage.log = path;
        salvage.has_state = scan.complete;
        salvage.data.segments.add_log(number, file.clone());
        let durable = proof.filter(|proof| proof.number == number).map_or(0, |proof| proof.end);
        salvage.read(&*file, number, &scan, durable, each)?;
    }
    salvage.data.segments.settle_sums();
    Ok(salvage)
}

/// The newest log with a state that is whole, or else the newest of which anything can be read.
fn choose(
    disk: &dyn Disk,
    found: &Found,
    proof: Option<Proof>,
) -> Result<Option<(u32, PathBuf, File, Scan)>, DeltaError> {
    let mut best: Option<(u32, PathBuf, File, Scan)> = None;
    let mut abandoned: BTreeSet<u32> = BTreeSet::new();
    for (&number, path) in &found.logs {
        let file = disk.open(path, Open::Read)?;
        let scan = match read_through(&*file, path)? {
            Some(scan) => Some(scan),
            None => {
                let kept = proof.filter(|proof| proof.number == number).and_then(|proof| proof.salt);
                let salts: Vec<u64> = kept.into_iter().chain([salt_as_it_stands(&*file)?]).collect();
                read_without_header(&*file, &salts)?
            }
        };
        let Some(scan) = scan else { continue };
        abandoned.extend(&scan.abandoned);
        let counts = scan.complete && !abandoned.contains(&number);
        if counts || best.as_ref().is_none_or(|(_, _, _, best)| !best.complete) {
            best = Some((number, path.clone(), file, scan));
        }
    }
    Ok(best)
}

impl Salvage {
    fn read(
        &mut self,
        file: &dyn DiskFile,
        number: u32,
        scan: &Scan,
        durable: u64,
        each: &mut dyn FnMut(Part, Vec<Record>),
    ) -> io::Result<()> {
        let mut frames = Frames::new(file, scan.salt);
        let mut at = LOG_HEADER_BYTES as u64;
        // Half of a state is none.
        let part = if scan.complete { Part::Whole } else { Part::Later };
        while at < scan.end {
            match self.take(&mut frames, number, at, part, each)? {
                Some((_, end)) => at = end,
                None => break,
            }
        }
        let (mut end, mut expected, mut from) = (scan.end, scan.next_seq, scan.end);
        while let Some(next) = frames.next_magic(from)? {
            from = next + 1;
            // What is left of a history that was cut off has numbers that were given out again.
            if frames.at(next)?.is_none_or(|frame| frame.header.seq < expected) {
                continue;
            }
            if let Some((seq, behind)) = self.take(&mut frames, number, next, Part::Later, each)? {
                if next > end {
                    // Without a header it is not known what the first number was.
                    let entries = (expected > 0).then(|| seq - expected);
                    self.gaps.push(Gap { from: end, upto: next, entries });
                }
                (end, expected, from) = (behind, seq + 1, behind);
            }
        }
        if durable > end {
            self.gaps.push(Gap { from: end, upto: durable, entries: None });
        }
        Ok(())
    }

    /// Hands out the frame at an offset, if it is whole; returns its number and where it ends.
    fn take(
        &mut self,
        frames: &mut Frames<'_>,
        log: u32,
        at: u64,
        part: Part,
        each: &mut dyn FnMut(Part, Vec<Record>),
    ) -> io::Result<Option<(u64, u64)>> {
        let Some(frame) = frames.at(at)? else { return Ok(None) };
        let header = frame.header;
        if matches!(header.kind, FrameKind::Batch | FrameKind::Dump) {
            let inline_sums: Vec<u32> = frame::read_sums(frame.inline_sums).collect();
            let Ok((sums, records)) = frame::decode_batch(frame.meta) else { return Ok(None) };
            learn(&self.data.segments, log, at + FRAME_HEADER_BYTES as u64, header, &inline_sums, &sums);
            match part {
                Part::Whole => self.whole += 1,
                Part::Later => self.later += 1,
            }
            each(part, records);
        }
        Ok(Some((header.seq, at + header.total_bytes() as u64)))
    }
}

impl Upper for Salvaged {
    fn stage(&self, _bytes: &[u8]) -> io::Result<Place> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn append(&self, _batch: &[Record], payload: Option<Payload<'_>>) -> io::Result<Option<Place>> {
        match payload {
            None => Ok(None),
            Some(_) => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }

    fn read(&self, place: Place, buf: &mut [u8]) -> io::Result<()> {
        self.segments.read(place, buf)
    }

    fn pin(&self) -> Pin {
        Pin(Arc::new(()))
    }

    fn release(&self, _ranges: &[(Place, u64)]) {}

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(self.segments.space()?.into())
    }
}
