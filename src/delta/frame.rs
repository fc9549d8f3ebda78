//! The log's encoding: a header, then frames.
//!
//! ```text
//! log header, 48 bytes    magic(8) version(4) number(4) salt(8) first sequence number(8) 0(8) checksum(8)
//! frame header, 40 bytes  magic(4) meta length(4) inline length(4) kind(4) sequence number(8) previous(8) checksum(8)
//!                         inline data, then meta
//! meta of a batch         [checksums of the inline data(4 each), if there is any] count, count × (file, offset, length,
//!                         checksums(4 each)) of data that this frame vouches for, then records
//! meta of a sync          covered, durable, count, count × number of a segment that is gone
//! meta of an abandonment  number of the log
//! ```
//!
//! Fixed integers are little-endian, others as [`Writer`] has them. Checksums of data are those of its blocks (`sums.rs`);
//! those of headers are xxh3-64, have the log's salt as seed and cover header and meta. `previous` is the checksum of the frame before: a frame is only
//! valid behind the one it was written behind, so that what is left of a history that was cut off cannot come back.
//! It does no I/O.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::sums::{Grid, Summed};
use crate::model::{CodecError, Place, Reader, Record, Writer};

pub(super) const VERSION: u32 = 2;
pub(super) const LOG_HEADER_BYTES: usize = 48;
/// Where the salt stands in the header of a log.
pub(super) const SALT_AT: u64 = 16;
pub(super) const FRAME_HEADER_BYTES: usize = 40;
/// Longer frames are neither written nor believed.
pub(super) const MAX_FRAME_BYTES: usize = 256 << 20;
pub(super) const FRAME_MAGIC: [u8; 4] = *b"\xaeFr\x01";
const LOG_MAGIC: [u8; 8] = *b"aether\xaeL";

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum FrameKind {
    /// One change.
    Batch = 1,
    /// A part of the state that the log begins with.
    Dump = 2,
    /// The state is complete: from here on the log counts. Also a sync.
    DumpEnd = 3,
    /// Data is durable.
    Sync = 4,
    /// A newer log is not to be used: its making failed, and this one went on.
    Abandoned = 5,
}

impl FrameKind {
    fn from_code(code: u32) -> Option<Self> {
        [Self::Batch, Self::Dump, Self::DumpEnd, Self::Sync, Self::Abandoned]
            .into_iter()
            .find(|kind| *kind as u32 == code)
    }
}

/// The head of a log file.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogHeader {
    pub number: u32,
    pub salt: u64,
    pub first_seq: u64,
}

/// What the first bytes of a log say.
pub(super) enum HeaderRead {
    Known { header: LogHeader, checksum: u64 },
    Other(u32),
    Bad,
}

impl LogHeader {
    pub fn encode(&self) -> ([u8; LOG_HEADER_BYTES], u64) {
        let mut bytes = [0; LOG_HEADER_BYTES];
        bytes[..8].copy_from_slice(&LOG_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_seq.to_le_bytes());
        let checksum = xxh3_64(&bytes[..40]);
        bytes[40..].copy_from_slice(&checksum.to_le_bytes());
        (bytes, checksum)
    }

    pub fn decode(bytes: &[u8]) -> HeaderRead {
        if bytes.len() < LOG_HEADER_BYTES || bytes[..8] != LOG_MAGIC {
            return HeaderRead::Bad;
        }
        let checksum = u64_at(bytes, 40);
        if xxh3_64(&bytes[..40]) != checksum {
            return HeaderRead::Bad;
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return HeaderRead::Other(version);
        }
        let header = Self { number: u32_at(bytes, 12), salt: u64_at(bytes, 16), first_seq: u64_at(bytes, 24) };
        HeaderRead::Known { header, checksum }
    }
}

/// The head of a frame as stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    pub kind: FrameKind,
    pub meta_bytes: usize,
    pub inline_bytes: usize,
    pub seq: u64,
    pub previous: u64,
    pub checksum: u64,
}

impl FrameHeader {
    /// What the bytes say, believed only as far as lengths go.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < FRAME_HEADER_BYTES || bytes[..4] != FRAME_MAGIC {
            return None;
        }
        let (meta_bytes, inline_bytes) = (u32_at(bytes, 4) as usize, u32_at(bytes, 8) as usize);
        let kind = FrameKind::from_code(u32_at(bytes, 12))?;
        (meta_bytes.checked_add(inline_bytes)? <= MAX_FRAME_BYTES).then_some(())?;
        let (seq, previous, checksum) = (u64_at(bytes, 16), u64_at(bytes, 24), u64_at(bytes, 32));
        Some(Self { kind, meta_bytes, inline_bytes, seq, previous, checksum })
    }

    pub fn total_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.meta_bytes + self.inline_bytes
    }
}

/// A whole frame whose checksums fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub header: FrameHeader,
    /// Meta without the checksums of the inline data.
    pub meta: &'a [u8],
    /// The checksums of the inline data, as they stand there.
    pub inline_sums: &'a [u8],
}

/// Checks a frame: its bytes are all of `bytes`. `scratch` is reused memory.
pub(super) fn check<'a>(bytes: &'a [u8], salt: u64, scratch: &mut Vec<u8>) -> Option<Frame<'a>> {
    let header = FrameHeader::decode(bytes)?;
    let body = bytes.get(FRAME_HEADER_BYTES..header.total_bytes())?;
    let (inline, meta) = body.split_at(header.inline_bytes);
    scratch.clear();
    scratch.extend_from_slice(&bytes[..FRAME_HEADER_BYTES]);
    scratch[32..40].fill(0);
    scratch.extend_from_slice(meta);
    if xxh3_64_with_seed(scratch, salt) != header.checksum {
        return None;
    }
    if inline.is_empty() {
        return Some(Frame { header, meta, inline_sums: &[] });
    }
    let (inline_sums, meta) = meta.split_at_checked(Grid::Own.count(0, inline.len() as u64) as usize * 4)?;
    let fits = Grid::Own.sums(0, inline).into_iter().eq(read_sums(inline_sums));
    fits.then_some(Frame { header, meta, inline_sums })
}

/// Checksums as they stand in a frame.
pub(super) fn read_sums(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|sum| u32_at(sum, 0))
}

/// Writes checksums one behind the other.
pub(super) fn write_sums(writer: &mut Writer, sums: &[u32]) {
    for sum in sums {
        writer.0.extend_from_slice(&sum.to_le_bytes());
    }
}

/// Finishes a frame: `buf` holds room for the header and the meta behind it. Returns the checksum.
pub(super) fn seal(buf: &mut [u8], kind: FrameKind, inline_bytes: usize, seq: u64, previous: u64, salt: u64) -> u64 {
    let meta_bytes = (buf.len() - FRAME_HEADER_BYTES) as u32;
    buf[..4].copy_from_slice(&FRAME_MAGIC);
    buf[4..8].copy_from_slice(&meta_bytes.to_le_bytes());
    buf[8..12].copy_from_slice(&(inline_bytes as u32).to_le_bytes());
    buf[12..16].copy_from_slice(&(kind as u32).to_le_bytes());
    buf[16..24].copy_from_slice(&seq.to_le_bytes());
    buf[24..32].copy_from_slice(&previous.to_le_bytes());
    buf[32..40].fill(0);
    let checksum = xxh3_64_with_seed(buf, salt);
    buf[32..40].copy_from_slice(&checksum.to_le_bytes());
    checksum
}

/// What a sync says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SyncMark {
    /// The data of all frames that start below this offset is durable.
    pub covered: u64,
    /// The log was durable up to this offset before the mark was written.
    pub durable: u64,
    /// Segments that nothing refers to; they are removed some time after the mark is durable.
    pub gone: Vec<u32>,
}

impl SyncMark {
    pub fn encode(&self, writer: &mut Writer) {
        writer.uint(self.covered);
        writer.uint(self.durable);
        writer.uint(self.gone.len() as u64);
        for number in &self.gone {
            writer.uint((*number).into());
        }
    }

    pub fn decode(meta: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(meta);
        let (covered, durable) = (reader.uint().ok()?, reader.uint().ok()?);
        let count = reader.uint().ok()?;
        let gone = (0..count).map(|_| reader.uint_as("file").ok()).collect::<Option<_>>()?;
        reader.finish().ok()?;
        Some(Self { covered, durable, gone })
    }
}

/// Writes the list of checksums that a batch begins with.
pub(super) fn encode_sums(writer: &mut Writer, sums: &[Summed]) {
    writer.uint(sums.len() as u64);
    for Summed { place, len_bytes, sums } in sums {
        writer.uint(place.file.into());
        writer.uint(place.offset);
        writer.uint(*len_bytes);
        write_sums(writer, sums);
    }
}

/// The checksums and records of a batch.
pub(super) fn decode_batch(meta: &[u8]) -> Result<(Vec<Summed>, Vec<Record>), CodecError> {
    let mut reader = Reader::new(meta);
    let count = reader.uint()?;
    let mut sums = Vec::new();
    for _ in 0..count {
        let place = Place { file: reader.uint_as("data file")?, offset: reader.uint()? };
        let len_bytes: u32 = reader.uint_as("length of data")?;
        let len_bytes = u64::from(len_bytes);
        let bytes = reader.take(Grid::Pages.count(place.offset, len_bytes) as usize * 4)?;
        sums.push(Summed { place, len_bytes, sums: read_sums(bytes).collect() });
    }
    let mut records = Vec::new();
    while !reader.is_empty() {
        records.push(Record::decode(&mut reader)?);
    }
    Ok((sums, records))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
