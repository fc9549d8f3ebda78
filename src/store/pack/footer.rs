//! Footers: what a pack says it holds.

use xxhash_rust::xxh3::Xxh3;

use crate::model::ObjectId;

use super::block::{BlockHead, ENTRY_LEN, encode_table, parse_table};
use super::{HEADER_LEN, NAME_PREFIX, SUFFIX, u32_at, u64_at};

const MAGIC: [u8; 4] = *b"AFTR";
const END_MAGIC: [u8; 8] = *b"aethpEND";
const FIXED_LEN: usize = 16;
const RECORD_LEN: usize = 24;
pub(super) const TRAILER_LEN: usize = 32;

/// Where a block is and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct BlockRecord {
    /// Byte offset of the block's head in the pack.
    pub offset: u64,
    pub head: BlockHead,
    /// Ids and lengths in bytes, in the order of the payload.
    pub objects: Vec<(ObjectId, u32)>,
}

/// All that is in a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Contents {
    pub blocks: Vec<BlockRecord>,
}

impl Contents {
    /// Footer and trailer as stored at `offset`, and the file name of the pack that has them.
    pub fn encode(&self, offset: u64) -> (Vec<u8>, String) {
        let objects: usize = self.blocks.iter().map(|block| block.objects.len()).sum();
        let mut out =
            Vec::with_capacity(FIXED_LEN + self.blocks.len() * RECORD_LEN + objects * ENTRY_LEN + TRAILER_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        out.extend_from_slice(&(objects as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for BlockRecord { offset, head, .. } in &self.blocks {
            out.extend_from_slice(&offset.to_le_bytes());
            for word in [head.raw_len, head.stored_len, head.objects] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(&[head.kind.code(), head.codec as u8, 0, 0]);
        }
        for block in &self.blocks {
            encode_table(&block.objects, &mut out);
        }
        let name = name_of(&out);
        let footer_len = out.len();
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&(footer_len as u64).to_le_bytes());
        let checksum = xxhash_rust::xxh3::xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&END_MAGIC);
        (out, name)
    }

    /// Offset and length of the footer that the trailer, the last bytes of a pack of `pack_len` bytes, tells of.
    pub fn parse_trailer(trailer: &[u8; TRAILER_LEN], pack_len: u64) -> Result<(u64, u64), &'static str> {
        if trailer[24..] != END_MAGIC {
            return Err("it has no trailer");
        }
        let (offset, len) = (u64_at(trailer, 0), u64_at(trailer, 8));
        let end = offset.checked_add(len).and_then(|end| end.checked_add(TRAILER_LEN as u64));
        if end != Some(pack_len) || offset < HEADER_LEN || len < FIXED_LEN as u64 {
            return Err("its trailer is wrong");
        }
        Ok((offset, len))
    }

    /// Reads a footer, checking it against the trailer's checksum.
    pub fn parse(footer: &[u8], trailer: &[u8; TRAILER_LEN]) -> Result<Self, &'static str> {
        let mut hasher = Xxh3::new();
        hasher.update(footer);
        hasher.update(&trailer[..16]);
        if hasher.digest() != u64_at(trailer, 16) {
            return Err("its footer is wrong");
        }
        if footer.len() < FIXED_LEN || footer[..4] != MAGIC || footer[12..16] != [0; 4] {
            return Err("its footer is not one");
        }
        let (blocks, objects) = (u32_at(footer, 4) as usize, u32_at(footer, 8) as usize);
        let tables = FIXED_LEN + blocks * RECORD_LEN;
        if footer.len() != tables + objects * ENTRY_LEN {
            return Err("its footer has a wrong length");
        }
        let mut table = parse_table(&footer[tables..]);
        let mut contents = Self { blocks: Vec::with_capacity(blocks) };
        for record in footer[FIXED_LEN..tables].chunks_exact(RECORD_LEN) {
            let head =
                BlockHead::check(record[20], record[21], u32_at(record, 16), u32_at(record, 8), u32_at(record, 12))?;
            let objects: Vec<_> = table.by_ref().take(head.objects as usize).collect();
            if objects.len() != head.objects as usize {
                return Err("its footer has too few objects");
            }
            contents.blocks.push(BlockRecord { offset: u64_at(record, 0), head, objects });
        }
        Ok(contents)
    }

    /// How many objects there are.
    pub fn objects(&self) -> u64 {
        self.blocks.iter().map(|block| block.objects.len() as u64).sum()
    }

    /// Bytes of all objects before compression.
    pub fn raw_bytes(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.head.raw_len)).sum()
    }
}

/// The file name of the pack with this footer.
fn name_of(footer: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(NAME_PREFIX).update(footer);
    format!("{}{SUFFIX}", hasher.finalize().to_hex())
}
