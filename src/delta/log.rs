//! The writing end of the log: one frame is one write.
//!
//! The position is kept in memory. A frame that could not be written wholly is cut off again; if even that fails, the
//! next frame is written over it, and the chain of checksums keeps what sticks out from being taken for a frame.
//! It knows nothing of syncs.

use std::path::PathBuf;

use std::io;

use super::frame::{self, FRAME_HEADER_BYTES, FrameKind, LOG_HEADER_BYTES, LogHeader};
use super::scan::Scan;
use super::sums::Summed;
use crate::disk::File;
use crate::model::{Place, Record, Writer};

/// Space is taken from the disk in steps of this.
const ALLOCATE_BYTES: u64 = 1 << 20;
/// A buffer that grew beyond this for one large batch is not kept.
const KEEP_BUFFER_BYTES: usize = 1 << 20;

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    pub number: u32,
    pub file: File,
    pub path: PathBuf,
    /// Where the next frame goes.
    pub end: u64,
    /// Where the state that the log begins with ends.
    pub base_end: u64,
    salt: u64,
    next_seq: u64,
    previous: u64,
    /// Disk space is ours up to here.
    allocated: u64,
    reserve_bytes: u64,
    /// A newer log whose making failed: this must be written down before anything else is.
    abandon: Option<u32>,
    buf: Vec<u8>,
}

/// What goes into a batch beside records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried<'a> {
    /// Data that lies in the frame itself, and its checksums.
    pub inline: Option<(&'a [u8], &'a [u32])>,
    /// Data elsewhere that the frame vouches for.
    pub sums: &'a [Summed],
    /// Whether the batch may use the space kept for bad times.
    pub may_use_reserve: bool,
}

impl Log {
    /// A log that holds nothing but its header.
    pub fn create(file: File, path: PathBuf, header: LogHeader, reserve_bytes: u64) -> io::Result<Self> {
        let (bytes, checksum) = header.encode();
        file.write_at(0, &[&bytes])?;
        Ok(Self {
            number: header.number,
            file,
            path,
            end: LOG_HEADER_BYTES as u64,
            base_end: 0,
            salt: header.salt,
            next_seq: header.first_seq,
            previous: checksum,
            allocated: u64::MAX,
            reserve_bytes,
            abandon: None,
            buf: Vec::new(),
        })
    }

    /// The state that the log begins with is written: from now on it takes space ahead.
    pub fn base_done(&mut self) {
        self.base_end = self.end;
        self.allocated = self.end;
    }

    /// Goes on where a scan ended.
    pub fn resume(file: File, path: PathBuf, number: u32, scan: &Scan, reserve_bytes: u64) -> Self {
        Self {
            number,
            file,
            path,
            end: scan.end,
            base_end: scan.base_end,
            salt: scan.salt,
            next_seq: scan.next_seq,
            previous: scan.previous,
            allocated: 0,
            reserve_bytes,
            abandon: None,
            buf: Vec::new(),
        }
    }

    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// Has the next frame preceded by one that says that log `number` is not to be used.
    pub fn abandon(&mut self, number: u32) {
        self.abandon = Some(number);
    }

    /// Writes a batch. With inline data, `last` is called with its place for the record that names it.
    pub fn batch(
        &mut self,
        kind: FrameKind,
        records: &[Record],
        carried: Carried<'_>,
        last: impl FnOnce(Place) -> Option<Record>,
    ) -> io::Result<()> {
        self.settle_abandoned()?;
        let place = Place { file: self.number, offset: self.end + FRAME_HEADER_BYTES as u64 };
        let mut writer = self.start();
        if let Some((_, sums)) = carried.inline {
            frame::write_sums(&mut writer, sums);
        }
        frame::encode_sums(&mut writer, carried.sums);
        for record in records {
            record.encode(&mut writer);
        }
        if let Some(record) = last(place) {
            record.encode(&mut writer);
        }
        let inline = carried.inline.map_or(&[][..], |(bytes, _)| bytes);
        self.write(writer.0, kind, inline, carried.may_use_reserve)
    }

    /// Writes a frame without records.
    pub fn mark(&mut self, kind: FrameKind, fill: impl FnOnce(&mut Writer)) -> io::Result<()> {
        self.settle_abandoned()?;
        let mut writer = self.start();
        fill(&mut writer);
        self.write(writer.0, kind, &[], true)
    }

    fn settle_abandoned(&mut self) -> io::Result<()> {
        if let Some(number) = self.abandon {
            let mut writer = self.start();
            writer.uint(number.into());
            self.write(writer.0, FrameKind::Abandoned, &[], true)?;
            self.abandon = None;
        }
        Ok(())
    }

    fn start(&mut self) -> Writer {
        let mut buf = std::mem::take(&mut self.buf);
        buf.clear();
        buf.resize(FRAME_HEADER_BYTES, 0);
        Writer(buf)
    }

    fn write(&mut self, mut buf: Vec<u8>, kind: FrameKind, inline: &[u8], may_use_reserve: bool) -> io::Result<()> {
        let total = (buf.len() + inline.len()) as u64;
        let result = if total > frame::MAX_FRAME_BYTES as u64 {
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a batch of {total} bytes is too large")))
        } else {
            self.make_room(total, may_use_reserve).and_then(|()| {
                let checksum = frame::seal(&mut buf, kind, inline.len(), self.next_seq, self.previous, self.salt);
                self.put(&buf, inline).map(|()| checksum)
            })
        };
        if buf.capacity() <= KEEP_BUFFER_BYTES {
            self.buf = buf;
        }
        self.previous = result?;
        self.end += total;
        self.next_seq += 1;
        Ok(())
    }

    fn put(&mut self, buf: &[u8], inline: &[u8]) -> io::Result<()> {
        let result = if inline.is_empty() {
            self.file.write_at(self.end, &[buf])
        } else {
            let (header, meta) = buf.split_at(FRAME_HEADER_BYTES);
            self.file.write_at(self.end, &[header, inline, meta])
        };
        if result.is_err() {
            // Whether or not this succeeds, the next frame goes to the same place. Cutting also gives up the space
            // that was taken beyond the end.
            let _ = self.file.set_len(self.end);
            self.allocated = self.end;
        }
        result
    }

    /// Keeps the reserve in front of the end, as long as there is disk space.
    fn make_room(&mut self, total: u64, may_use_reserve: bool) -> io::Result<()> {
        let wanted = self.end + total + self.reserve_bytes;
        if wanted <= self.allocated {
            return Ok(());
        }
        let from = self.allocated.max(self.end);
        let upto = wanted + ALLOCATE_BYTES;
        match self.file.allocate(from, upto - from) {
            Ok(()) => {
                self.allocated = upto;
                Ok(())
            }
            Err(_) if may_use_reserve => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives back the space that was taken beyond the end.
    pub fn trim(&mut self) -> io::Result<()> {
        if self.allocated > self.end {
            self.file.set_len(self.end)?;
            self.allocated = self.end;
        }
        Ok(())
    }
}
