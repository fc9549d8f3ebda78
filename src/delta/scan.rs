//! Reading a log: where it ends, what of it can be trusted, whether it is damaged.
//!
//! A log ends before the first frame that does not fit behind the one before. That is a torn tail, and no harm,
//! unless a later sync mark says that the log was durable beyond this point: then it is damage. It decodes no records.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::frame::{self, FRAME_HEADER_BYTES, FRAME_MAGIC, Frame, FrameHeader, FrameKind, HeaderRead, SyncMark};
use super::{DeltaError, frame::LOG_HEADER_BYTES};
use crate::disk::DiskFile;
use crate::model::Reader;

const WINDOW_BYTES: usize = 1 << 20;

/// Frames of a log by offset, through one buffer.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    file: &'a dyn DiskFile,
    salt: u64,
    window: Vec<u8>,
    window_start: u64,
    scratch: Vec<u8>,
}

impl<'a> Frames<'a> {
    pub fn new(file: &'a dyn DiskFile, salt: u64) -> Self {
        Self { file, salt, window: Vec::new(), window_start: 0, scratch: Vec::new() }
    }

    /// Makes `len` bytes from `offset` on available; `None` when the file ends before.
    fn load(&mut self, offset: u64, len: usize) -> io::Result<Option<usize>> {
        let inside = offset.checked_sub(self.window_start).map(|at| at as usize);
        if let Some(at) = inside.filter(|at| at.checked_add(len).is_some_and(|end| end <= self.window.len())) {
            return Ok(Some(at));
        }
        self.window.resize(len.max(WINDOW_BYTES), 0);
        self.window_start = offset;
        let read = self.file.read_at(offset, &mut self.window)?;
        self.window.truncate(read);
        Ok((read >= len).then_some(0))
    }

    /// The frame at `offset`, if its checksums fit.
    pub fn at(&mut self, offset: u64) -> io::Result<Option<Frame<'_>>> {
        let Some(at) = self.load(offset, FRAME_HEADER_BYTES)? else { return Ok(None) };
        let Some(header) = FrameHeader::decode(&self.window[at..]) else { return Ok(None) };
        let total = header.total_bytes();
        if total > WINDOW_BYTES && offset + total as u64 > self.file.len()? {
            return Ok(None);
        }
        let Some(at) = self.load(offset, total)? else { return Ok(None) };
        Ok(frame::check(&self.window[at..at + total], self.salt, &mut self.scratch))
    }

    /// The first offset at or after `from` where a frame may begin.
    pub fn next_magic(&mut self, mut from: u64) -> io::Result<Option<u64>> {
        loop {
            let Some(at) = self.load(from, FRAME_HEADER_BYTES)? else { return Ok(None) };
            let rest = &self.window[at..];
            if let Some(found) = rest.windows(4).position(|bytes| bytes == FRAME_MAGIC) {
                return Ok(Some(from + found as u64));
            }
            from += (rest.len() - 3) as u64;
        }
    }
}

/// What a log was found to be.
#[derive(Debug)]
pub(super) struct Scan {
    pub salt: u64,
    /// Where the next frame goes.
    pub end: u64,
    pub next_seq: u64,
    /// The checksum of the last frame.
    pub previous: u64,
    /// The state that it begins with is all there.
    pub complete: bool,
    /// Where that state ends.
    pub base_end: u64,
    /// Data of frames that start below this is durable.
    pub covered: u64,
    /// The log was durable up to here when the last sync mark was written.
    pub durable: u64,
    /// The whole log was durable when its last frame, a sync mark, was written.
    pub clean: bool,
    pub gone: BTreeSet<u32>,
    /// Newer logs that are not to be used.
    pub abandoned: BTreeSet<u32>,
}

/// Reads all of a log. `Ok(None)`: not even its header is whole.
///
/// # Errors
/// [`DeltaError::Damaged`] when bytes that were durable are not what they were; [`DeltaError::Format`].
pub(super) fn scan(file: &dyn DiskFile, path: &Path) -> Result<Option<Scan>, DeltaError> {
    let Some(scan) = read_through(file, path)? else { return Ok(None) };
    scan.refuse_damage(&mut Frames::new(file, scan.salt), path)?;
    Ok(Some(scan))
}

/// Reads a log up to where it ends or is damaged. `Ok(None)`: not even its header is whole.
///
/// # Errors
/// [`DeltaError::Format`].
pub(super) fn read_through(file: &dyn DiskFile, path: &Path) -> Result<Option<Scan>, DeltaError> {
    let mut bytes = [0; LOG_HEADER_BYTES];
    let read = file.read_at(0, &mut bytes)?;
    let (header, checksum) = match frame::LogHeader::decode(&bytes[..read]) {
        HeaderRead::Known { header, checksum } => (header, checksum),
        HeaderRead::Bad => return Ok(None),
        HeaderRead::Other(version) => {
            return Err(DeltaError::Format { path: path.to_owned(), version, known: frame::VERSION });
        }
    };
    let mut scan = Scan {
        salt: header.salt,
        end: LOG_HEADER_BYTES as u64,
        next_seq: header.first_seq,
        previous: checksum,
        complete: false,
        base_end: 0,
        covered: 0,
        durable: 0,
        clean: false,
        gone: BTreeSet::new(),
        abandoned: BTreeSet::new(),
    };
    scan.take_all(file)?;
    Ok(Some(scan))
}

/// As [`read_through`], of a log whose header is damaged: one of these salts may be its. `Ok(None)`: no frame fits any.
/// Where the first frame is whole, the log is read from there; else `next_seq` is 0, and all that there is is behind damage.
///
/// # Errors
/// What the disk says.
pub(super) fn read_without_header(file: &dyn DiskFile, salts: &[u64]) -> io::Result<Option<Scan>> {
    for &salt in salts {
        let mut scan = Scan {
            salt,
            end: LOG_HEADER_BYTES as u64,
            next_seq: 0,
            previous: 0,
            complete: false,
            base_end: 0,
            covered: 0,
            durable: 0,
            clean: false,
            gone: BTreeSet::new(),
            abandoned: BTreeSet::new(),
        };
        let mut frames = Frames::new(file, salt);
        if let Some(first) = frames.at(scan.end)? {
            (scan.next_seq, scan.previous) = (first.header.seq, first.header.previous);
            scan.take_all(file)?;
            return Ok(Some(scan));
        }
        let mut from = scan.end;
        while let Some(at) = frames.next_magic(from)? {
            if frames.at(at)?.is_some() {
                return Ok(Some(scan));
            }
            from = at + 1;
        }
    }
    Ok(None)
}

/// The salt as it stands in a header that is damaged, perhaps elsewhere.
pub(super) fn salt_as_it_stands(file: &dyn DiskFile) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_at(frame::SALT_AT, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

impl Scan {
    /// Takes every frame that fits behind the one before.
    fn take_all(&mut self, file: &dyn DiskFile) -> io::Result<()> {
        let mut frames = Frames::new(file, self.salt);
        while let Some(frame) = frames.at(self.end)? {
            if frame.header.seq != self.next_seq || frame.header.previous != self.previous {
                break;
            }
            self.take(&frame);
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame<'_>) {
        let start = self.end;
        self.end += frame.header.total_bytes() as u64;
        self.next_seq += 1;
        self.previous = frame.header.checksum;
        self.clean = false;
        match frame.header.kind {
            FrameKind::Batch | FrameKind::Dump => {}
            FrameKind::DumpEnd | FrameKind::Sync => {
                if let Some(mark) = SyncMark::decode(frame.meta) {
                    self.covered = self.covered.max(mark.covered);
                    self.durable = self.durable.max(mark.durable);
                    self.clean = mark.durable == start;
                    self.gone.extend(mark.gone);
                }
                if frame.header.kind == FrameKind::DumpEnd {
                    self.complete = true;
                    self.base_end = self.end;
                }
            }
            FrameKind::Abandoned => {
                if let Ok(number) = Reader::new(frame.meta).uint_as("log") {
                    self.abandoned.insert(number);
                }
            }
        }
    }

    /// Looks behind the end for a sync mark which says that there once was more.
    fn refuse_damage(&self, frames: &mut Frames<'_>, path: &Path) -> Result<(), DeltaError> {
        let mut from = self.end;
        while let Some(at) = frames.next_magic(from)? {
            if let Some(frame) = frames.at(at)?
                && frame.header.kind == FrameKind::Sync
                && SyncMark::decode(frame.meta).is_some_and(|mark| mark.durable > self.end)
            {
                return Err(DeltaError::Damaged {
                    path: path.to_owned(),
                    offset: self.end,
                    why: format!("a frame is bad, but the log was durable beyond it (sync mark at byte {at})"),
                });
            }
            from = at + 1;
        }
        Ok(())
    }
}
