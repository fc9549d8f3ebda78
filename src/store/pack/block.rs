//! Blocks: objects that are compressed together.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use xxhash_rust::xxh3::Xxh3;
use zstd::bulk::{Compressor, Decompressor};

use crate::model::{ObjectId, ObjectKind};

use super::{BLOCK_MAX_BYTES, BLOCK_TARGET_BYTES, BLOCK_TARGET_OBJECTS, MAX_OBJECT_BYTES, u32_at, u64_at};

const MAGIC: [u8; 4] = *b"ABLK";
pub(super) const HEAD_LEN: usize = 32;
pub(super) const ENTRY_LEN: usize = 36;

/// The zstd level. On the Linux source, level 1 takes half the time of level 3 and stores 9 % more; import is the
/// bottleneck that users wait for.
const LEVEL: i32 = 1;

/// How a payload is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::store) enum Codec {
    Raw = 0,
    Zstd = 1,
}

/// What a block's head says, but for its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct BlockHead {
    pub kind: ObjectKind,
    pub codec: Codec,
    pub objects: u32,
    pub raw_len: u32,
    pub stored_len: u32,
}

impl BlockHead {
    /// Takes the fields that head and footer share, if they make sense together.
    pub fn check(kind: u8, codec: u8, objects: u32, raw_len: u32, stored_len: u32) -> Result<Self, &'static str> {
        let kind = ObjectKind::from_code(kind).ok_or("unknown kind of objects")?;
        let codec = match codec {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            _ => return Err("unknown compression"),
        };
        if raw_len > BLOCK_MAX_BYTES || stored_len > raw_len || codec == Codec::Raw && stored_len != raw_len {
            return Err("impossible length");
        }
        if objects == 0 || objects as usize > BLOCK_TARGET_OBJECTS {
            return Err("impossible number of objects");
        }
        Ok(Self { kind, codec, objects, raw_len, stored_len })
    }

    /// The head's fields and its checksum.
    pub fn parse(bytes: &[u8; HEAD_LEN]) -> Result<(Self, u64), &'static str> {
        if bytes[..4] != MAGIC || bytes[6..8] != [0; 2] || bytes[20..24] != [0; 4] {
            return Err("not a block");
        }
        let head = Self::check(bytes[4], bytes[5], u32_at(bytes, 8), u32_at(bytes, 12), u32_at(bytes, 16))?;
        Ok((head, u64_at(bytes, 24)))
    }

    fn encode(&self, table: &[u8], stored: &[u8]) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind.code();
        bytes[5] = self.codec as u8;
        bytes[8..12].copy_from_slice(&self.objects.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.raw_len.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.stored_len.to_le_bytes());
        let checksum = Self::checksum(&bytes, table, stored);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// What the checksum of a block with these bytes has to be.
    pub fn checksum(head: &[u8; HEAD_LEN], table: &[u8], stored: &[u8]) -> u64 {
        let mut hasher = Xxh3::new();
        hasher.update(&head[..24]);
        hasher.update(table);
        hasher.update(stored);
        hasher.digest()
    }

    pub fn table_len(&self) -> usize {
        self.objects as usize * ENTRY_LEN
    }

    /// Where a block with this head that begins at `offset` ends.
    pub fn end_of(&self, offset: u64) -> u64 {
        offset.saturating_add((HEAD_LEN + self.rest_len()) as u64)
    }

    /// Bytes of table and payload: what follows the head.
    pub fn rest_len(&self) -> usize {
        self.table_len() + self.stored_len as usize
    }
}

/// The ids and lengths in an encoded table.
pub(super) fn parse_table(bytes: &[u8]) -> impl Iterator<Item = (ObjectId, u32)> {
    bytes.chunks_exact(ENTRY_LEN).map(|entry| {
        let mut id = [0; 32];
        id.copy_from_slice(&entry[..32]);
        (ObjectId(id), u32_at(entry, 32))
    })
}

pub(super) fn encode_table(objects: &[(ObjectId, u32)], out: &mut Vec<u8>) {
    for (id, len) in objects {
        out.extend_from_slice(&id.0);
        out.extend_from_slice(&len.to_le_bytes());
    }
}

/// A block that objects are being added to.
#[derive(Debug, Default)]
pub(in crate::store) struct OpenBlock {
    raw: Vec<u8>,
    objects: Vec<(ObjectId, u32)>,
}

impl OpenBlock {
    /// Adds an object. The caller has checked that it is no longer than [`MAX_OBJECT_BYTES`].
    pub fn push(&mut self, id: ObjectId, bytes: &[u8]) {
        debug_assert!(bytes.len() <= MAX_OBJECT_BYTES, "the caller checks the length");
        if self.raw.capacity() == 0 {
            self.raw.reserve(BLOCK_TARGET_BYTES + BLOCK_TARGET_BYTES / 2);
        }
        self.raw.extend_from_slice(bytes);
        self.objects.push((id, bytes.len() as u32));
    }

    pub fn is_full(&self) -> bool {
        self.raw.len() >= BLOCK_TARGET_BYTES || self.objects.len() >= BLOCK_TARGET_OBJECTS
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

/// A block ready to be appended to a pack.
#[derive(Debug)]
pub(in crate::store) struct SealedBlock {
    pub head: BlockHead,
    pub head_bytes: [u8; HEAD_LEN],
    pub objects: Vec<(ObjectId, u32)>,
    pub table: Vec<u8>,
    pub stored: Vec<u8>,
}

impl SealedBlock {
    pub fn len(&self) -> u64 {
        (HEAD_LEN + self.table.len() + self.stored.len()) as u64
    }
}

/// Compresses blocks. Shared between threads; each call takes a context of its own.
#[derive(Default)]
pub(in crate::store) struct BlockSeal {
    contexts: Mutex<Vec<Compressor<'static>>>,
}

impl std::fmt::Debug for BlockSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockSeal").finish_non_exhaustive()
    }
}

impl BlockSeal {
    /// Compresses a block, if that gains.
    pub fn seal(&self, kind: ObjectKind, block: OpenBlock) -> io::Result<SealedBlock> {
        let context = self.contexts.lock().pop();
        let mut context = context.map_or_else(|| Compressor::new(LEVEL), Ok)?;
        let packed = context.compress(&block.raw)?;
        self.contexts.lock().push(context);
        // Less than one part in 32 is not worth the time to decompress it at every read.
        let gains = packed.len() + block.raw.len() / 32 < block.raw.len();
        let raw_len = block.raw.len() as u32;
        let (codec, stored) = if gains { (Codec::Zstd, packed) } else { (Codec::Raw, block.raw) };
        let mut table = Vec::with_capacity(block.objects.len() * ENTRY_LEN);
        encode_table(&block.objects, &mut table);
        let head =
            BlockHead { kind, codec, objects: block.objects.len() as u32, raw_len, stored_len: stored.len() as u32 };
        let head_bytes = head.encode(&table, &stored);
        Ok(SealedBlock { head, head_bytes, objects: block.objects, table, stored })
    }
}

/// A block in memory, decompressed. Its objects are not to be trusted until they were checked, which it remembers.
#[derive(Debug)]
pub(in crate::store) struct Block {
    bytes: Vec<u8>,
    /// Id and offset in `bytes`, as the table has them.
    objects: Vec<(ObjectId, Range<u32>)>,
    /// One bit an object: it was checked against its name.
    verified: Box<[AtomicU64]>,
}

impl Block {
    /// Takes what follows a block's head: its table and payload.
    pub fn decode(head: &BlockHead, mut rest: Vec<u8>, contexts: &Decompress) -> Result<Self, String> {
        let table_len = head.table_len();
        if rest.len() != head.rest_len() {
            return Err("the pack ends inside the block".into());
        }
        let mut start = 0u32;
        let objects: Vec<_> = parse_table(&rest[..table_len])
            .map(|(id, len)| {
                let range = start..start.saturating_add(len);
                start = range.end;
                (id, range)
            })
            .collect();
        let bytes = match head.codec {
            Codec::Raw => {
                rest.drain(..table_len);
                rest
            }
            Codec::Zstd => contexts.decompress(&rest[table_len..], head.raw_len as usize)?,
        };
        if bytes.len() != head.raw_len as usize {
            return Err(format!("{} bytes instead of {} after decompression", bytes.len(), head.raw_len));
        }
        let verified = (0..objects.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { bytes, objects, verified })
    }

    /// The objects and their places, as the table has them.
    pub fn objects(&self) -> &[(ObjectId, Range<u32>)] {
        &self.objects
    }

    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Checks that the bytes in this range are the object of this name.
    pub fn verify(&self, kind: ObjectKind, id: &ObjectId, range: &Range<u32>) -> Result<(), &'static str> {
        let slot = self.slot(id, range);
        if let Some((word, bit)) = slot
            && self.verified[word].load(Ordering::Relaxed) & bit != 0
        {
            return Ok(());
        }
        let bytes = self.bytes.get(range.start as usize..range.end as usize).ok_or("it lies outside its block")?;
        if ObjectId::of(kind, bytes) != *id {
            return Err("its bytes do not match its name");
        }
        if let Some((word, bit)) = slot {
            self.verified[word].fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Checks all objects, so that whoever asks for one has nothing to do. What does not have its name stays unchecked.
    pub fn verify_all(&self, kind: ObjectKind) {
        for (id, range) in &self.objects {
            let _left_to_who_asks = self.verify(kind, id, range);
        }
    }

    /// Bytes before compression.
    pub fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Zeros that are no objects.
    #[cfg(test)]
    pub fn of_zeros(len: usize) -> Self {
        Self { bytes: vec![0; len], objects: Vec::new(), verified: Box::default() }
    }

    /// Where to note that this object was checked, if the table knows it.
    fn slot(&self, id: &ObjectId, range: &Range<u32>) -> Option<(usize, u64)> {
        let first = self.objects.partition_point(|(_, known)| known.start < range.start);
        let same = self.objects[first..].iter().take_while(|(_, known)| known.start == range.start);
        let at = first + same.into_iter().position(|(known, at)| known == id && at == range)?;
        Some((at / 64, 1 << (at % 64)))
    }

    /// Roughly the memory it takes.
    pub fn weight_bytes(&self) -> usize {
        self.bytes.len() + self.objects.len() * size_of::<(ObjectId, Range<u32>)>() + 128
    }
}

/// Decompresses blocks. Shared between threads; each call takes a context of its own.
#[derive(Default)]
pub(in crate::store) struct Decompress {
    contexts: Mutex<Vec<Decompressor<'static>>>,
}

impl Decompress {
    fn decompress(&self, stored: &[u8], raw_len: usize) -> Result<Vec<u8>, String> {
        let context = self.contexts.lock().pop();
        let mut context = context.map_or_else(Decompressor::new, Ok).map_err(|error| error.to_string())?;
        let bytes = context.decompress(stored, raw_len).map_err(|error| format!("decompression: {error}"));
        self.contexts.lock().push(context);
        bytes
    }
}
