//! The bytes of a model file, kept by small blocks so that a file of terabytes costs what was written to it.
//!
//! Blocks of zeros are never kept, so equal content has equal blocks.

use std::collections::BTreeMap;

/// Bytes of a block.
const BLOCK: u64 = 512;

/// A file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sparse {
    /// Length in bytes.
    pub len: u64,
    blocks: BTreeMap<u64, [u8; BLOCK as usize]>,
}

impl Sparse {
    /// The bytes from `offset` on, as many as fit into `buf` and are there.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let buf = &mut buf[..count];
        buf.fill(0);
        if count == 0 {
            return 0;
        }
        for (index, block) in self.blocks.range(offset / BLOCK..=(offset + count as u64 - 1) / BLOCK) {
            let start = (index * BLOCK).max(offset);
            let end = ((index + 1) * BLOCK).min(offset + count as u64);
            buf[(start - offset) as usize..(end - offset) as usize]
                .copy_from_slice(&block[(start - index * BLOCK) as usize..(end - index * BLOCK) as usize]);
        }
        count
    }

    /// All bytes of a range that lies within the file.
    pub fn bytes(&self, offset: u64, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        assert_eq!(self.read(offset, &mut bytes) as u64, len);
        bytes
    }

    /// Puts bytes there; the file grows to hold them.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len() as u64;
        self.len = self.len.max(end);
        for index in offset / BLOCK..=(end - 1) / BLOCK {
            let (start, stop) = ((index * BLOCK).max(offset), ((index + 1) * BLOCK).min(end));
            let block = self.blocks.entry(index).or_insert([0; BLOCK as usize]);
            block[(start - index * BLOCK) as usize..(stop - index * BLOCK) as usize]
                .copy_from_slice(&bytes[(start - offset) as usize..(stop - offset) as usize]);
            if block.iter().all(|&byte| byte == 0) {
                self.blocks.remove(&index);
            }
        }
    }

    /// Makes the range zeros, without changing the length.
    pub fn zero(&mut self, offset: u64, len: u64) {
        let end = offset.saturating_add(len).min(self.len);
        let touched: Vec<u64> = self.blocks.range(offset / BLOCK..).map(|(&index, _)| index).collect();
        for index in touched.into_iter().take_while(|index| index * BLOCK < end) {
            let (start, stop) = ((index * BLOCK).max(offset), ((index + 1) * BLOCK).min(end));
            if start >= stop {
                continue;
            }
            let block = self.blocks.get_mut(&index).unwrap();
            block[(start - index * BLOCK) as usize..(stop - index * BLOCK) as usize].fill(0);
            if block.iter().all(|&byte| byte == 0) {
                self.blocks.remove(&index);
            }
        }
    }

    /// Cuts the file off, or lengthens it with zeros.
    pub fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.zero(len, self.len - len);
        }
        self.len = len;
    }

    /// The first offset at or after `offset` where a block with content lies (`data`), or one without.
    pub fn seek(&self, offset: u64, data: bool) -> Option<u64> {
        let mut index = offset / BLOCK;
        if data {
            let (&found, _) = self.blocks.range(index..).next()?;
            return Some((found * BLOCK).max(offset)).filter(|&at| at < self.len);
        }
        while self.blocks.contains_key(&index) {
            index += 1;
        }
        Some((index * BLOCK).max(offset)).filter(|&at| at < self.len)
    }

    /// Whether all bytes of the range, as far as it lies in the file, are zero.
    pub fn is_zero(&self, from: u64, to: u64) -> bool {
        let to = to.min(self.len);
        if from >= to {
            return true;
        }
        self.blocks.range(from / BLOCK..=(to - 1) / BLOCK).all(|(index, block)| {
            let start = (index * BLOCK).max(from) - index * BLOCK;
            let stop = ((index + 1) * BLOCK).min(to) - index * BLOCK;
            block[start as usize..stop as usize].iter().all(|&byte| byte == 0)
        })
    }

    /// A digest of length and content.
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (index, block) in &self.blocks {
            hasher.update(&index.to_le_bytes()).update(block);
        }
        hasher.update(&self.len.to_le_bytes());
        hasher.finalize()
    }
}
