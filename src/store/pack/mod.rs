//! Packs: the files that hold objects, and their format.
//!
//! All integers are little-endian and of fixed width; bytes said to be zero must be.
//!
//! ```text
//! pack     = header block* footer trailer
//! header   = "aethpack" | version: u32 (1) | zero: u32
//! block    = head table payload
//!   head   = "ABLK" | kind: u8 | codec: u8 | zero: u16 | objects: u32 | raw_len: u32 | stored_len: u32 | zero: u32
//!          | checksum: u64, XXH3-64 of the head's first 24 bytes, the table and the payload as stored
//!   table  = (object id: 32 bytes | length: u32)*, in the order of the payload
//!   payload= the objects' bytes one after the other, as they are (codec 0) or as one zstd frame (codec 1)
//! footer   = "AFTR" | blocks: u32 | objects: u32 | zero: u32
//!          | (offset: u64 | raw_len: u32 | stored_len: u32 | objects: u32 | kind: u8 | codec: u8 | zero: u16)*
//!          | (object id: 32 bytes | length: u32)*, block after block
//! trailer  = footer offset: u64 | footer length: u64
//!          | checksum: u64, XXH3-64 of the footer and the trailer's first 16 bytes | "aethpEND"
//! ```
//!
//! A pack is named after the BLAKE3 hash of its footer, so a name stands for one set of objects in one layout. Objects
//! of one kind share a block; a block holds neighbours in the order of import. The footer says all that the heads
//! and tables say: a pack is indexed by one read, and a damaged head or footer costs no object. The heads and tables let a
//! pack be finished whose writer died.
//!
//! This module moves blocks. It checks no object against its name: that is for who reads the object.

mod append;
mod block;
mod footer;
mod read;
mod salvage;

pub(super) use append::{PackWriter, SealedPack};
pub(super) use block::{Block, BlockSeal, Decompress, OpenBlock, SealedBlock};
pub(super) use footer::{BlockRecord, Contents};
pub(super) use read::Pack;
pub(super) use salvage::salvage;

/// The most bytes one object may have.
pub const MAX_OBJECT_BYTES: usize = 64 << 20;

/// First bytes of every pack.
const HEADER_MAGIC: [u8; 8] = *b"aethpack";
/// The version of the format above.
const VERSION: u32 = 1;
const HEADER_LEN: u64 = 16;

/// A pack is closed before it grows beyond this many bytes.
pub(super) const PACK_TARGET_BYTES: u64 = 256 << 20;

/// A block is closed when it holds this many bytes before compression: whoever wants one object of it decompresses all,
/// and larger blocks compress little better (sources by 7 % at four times the size)…
pub(super) const BLOCK_TARGET_BYTES: usize = 64 << 10;
/// …or this many objects. An object of more than half the bytes gets a block of its own.
pub(super) const BLOCK_TARGET_OBJECTS: usize = 4096;

/// The most bytes a block may have before compression; more is damage.
const BLOCK_MAX_BYTES: u32 = (MAX_OBJECT_BYTES + (256 << 10)) as u32;

/// The prefix of the hash that names a pack.
const NAME_PREFIX: &[u8] = b"aether pack 1\0\0";

/// What the file names of unfinished packs begin with.
pub(super) const TMP_PREFIX: &str = "tmp-";
/// What the file names of all packs end with.
pub(super) const SUFFIX: &str = ".pack";

/// What the names of packs begin with that a collection has condemned: no look-up leads to them, but they can be read.
pub(super) const GONE_PREFIX: &str = "gone-";
/// What the names of packs begin with that are being deleted.
pub(super) const DEAD_PREFIX: &str = "dead-";

/// The name that a condemned or deleted pack had.
pub(super) fn former_name(path: &std::path::Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_prefix(GONE_PREFIX).or_else(|| name.strip_prefix(DEAD_PREFIX))?;
    finished_name(std::path::Path::new(name)).map(|_| name)
}

/// The name that a condemned pack had.
pub(super) fn condemned_name(path: &std::path::Path) -> Option<&str> {
    former_name(path)
        .filter(|_| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(GONE_PREFIX)))
}

/// The pack's file name if it is that of a finished pack.
pub(super) fn finished_name(path: &std::path::Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(SUFFIX)?;
    let is_hex = stem.len() == 64 && stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then_some(name)
}

/// Whether the file name is that of an unfinished pack.
pub(super) fn is_unfinished(path: &std::path::Path) -> bool {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str);
    name.is_some_and(|name| name.starts_with(TMP_PREFIX) && name.ends_with(SUFFIX))
}

fn header() -> [u8; HEADER_LEN as usize] {
    let mut bytes = [0; HEADER_LEN as usize];
    bytes[..8].copy_from_slice(&HEADER_MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// The little-endian integer at `at`. The caller has checked the length.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// The little-endian integer at `at`. The caller has checked the length.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
