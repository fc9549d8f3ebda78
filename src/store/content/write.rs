//! Turning bytes and holes into content.

use fastcdc::v2020::{MASKS, cut};

use crate::model::{Content, PartRef};
use crate::store::{StoreError, Writer};

use super::manifest::ManifestBuilder;
use super::{AVG_BYTES, MAX_BYTES, MIN_BYTES, WHOLE_BYTES};

/// How much is gathered before it is cut, in bytes: what makes one chunk for certain, and room for the next piece.
const BUFFER_BYTES: usize = 2 * MAX_BYTES;

/// Stores a file that has no holes and at most [`WHOLE_BYTES`]; a longer one goes to [`put`].
///
/// # Errors
/// [`StoreError`] as [`Writer::put_chunk`].
pub fn put_small(writer: &Writer, bytes: &[u8]) -> Result<Content, StoreError> {
    match bytes.len() {
        0 => Ok(Content::Hole),
        1..=WHOLE_BYTES => Ok(Content::Chunk(writer.put_chunk(bytes)?)),
        _ => put(writer, bytes),
    }
}

/// Stores a file that has no holes and is in memory.
///
/// # Errors
/// [`StoreError`] as [`Writer::put_chunk`].
pub fn put(writer: &Writer, bytes: &[u8]) -> Result<Content, StoreError> {
    if bytes.len() <= WHOLE_BYTES {
        return put_small(writer, bytes);
    }
    let mut parts = ManifestBuilder::new(writer);
    cut_all(&mut parts, bytes)?;
    parts.finish()
}

/// Stores a file piece by piece, in order. Its memory is bounded, whatever the file's length.
#[derive(Debug)]
pub struct ContentWriter<'w> {
    parts: ManifestBuilder<'w>,
    /// Data that is not cut yet.
    buffer: Vec<u8>,
    len_bytes: u64,
}

impl<'w> ContentWriter<'w> {
    /// Starts an empty file.
    #[must_use]
    pub fn new(writer: &'w Writer) -> Self {
        Self { parts: ManifestBuilder::new(writer), buffer: Vec::new(), len_bytes: 0 }
    }

    /// Appends data.
    ///
    /// # Errors
    /// [`StoreError`] as [`Writer::put_chunk`].
    pub fn data(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.len_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == BUFFER_BYTES {
                let done = cut_certain(&mut self.parts, &self.buffer)?;
                self.buffer.drain(..done);
            }
        }
        Ok(())
    }

    /// Appends zeros that are not stored.
    ///
    /// # Errors
    /// [`StoreError`] as [`Writer::put_chunk`].
    pub fn hole(&mut self, len_bytes: u64) -> Result<(), StoreError> {
        if len_bytes > 0 {
            self.end_run()?;
            self.len_bytes += len_bytes;
            self.parts.push(PartRef::Hole, len_bytes)?;
        }
        Ok(())
    }

    /// Bytes appended so far, holes and all.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`StoreError`] as [`Writer::put_chunk`].
    pub fn finish(mut self) -> Result<Content, StoreError> {
        if self.parts.is_empty() && self.buffer.len() <= WHOLE_BYTES {
            return put_small(self.parts.writer(), &self.buffer);
        }
        self.end_run()?;
        self.parts.finish()
    }

    fn end_run(&mut self) -> Result<(), StoreError> {
        cut_all(&mut self.parts, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Stores the chunks whose end does not depend on what follows `bytes`; returns their length.
fn cut_certain(parts: &mut ManifestBuilder<'_>, bytes: &[u8]) -> Result<usize, StoreError> {
    let mut done = 0;
    while bytes.len() - done >= MAX_BYTES {
        done += put_next(parts, &bytes[done..])?;
    }
    Ok(done)
}

/// Stores a whole run of data.
fn cut_all(parts: &mut ManifestBuilder<'_>, bytes: &[u8]) -> Result<(), StoreError> {
    let mut done = 0;
    while done < bytes.len() {
        done += put_next(parts, &bytes[done..])?;
    }
    Ok(())
}

fn put_next(parts: &mut ManifestBuilder<'_>, bytes: &[u8]) -> Result<usize, StoreError> {
    let len = next_len(bytes);
    let id = parts.writer().put_chunk(&bytes[..len])?;
    parts.push(PartRef::Chunk(id), len as u64)?;
    Ok(len)
}

/// The length of the chunk that `bytes` begins with. At most [`MAX_BYTES`] are looked at.
pub(super) fn next_len(bytes: &[u8]) -> usize {
    // Normalisation level 1: one bit more than the average asks for below it, one bit less above it.
    const BITS: usize = AVG_BYTES.ilog2() as usize;
    const SMALL: u64 = MASKS[BITS + 1];
    const LARGE: u64 = MASKS[BITS - 1];
    let (_, len) = cut(bytes, MIN_BYTES, AVG_BYTES, MAX_BYTES, SMALL, LARGE, SMALL << 1, LARGE << 1);
    // A cut at 0 would never end; the minimum rules it out.
    len.clamp(1, bytes.len())
}
