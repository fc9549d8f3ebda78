//! Storing a file of which most is as it was stored before, at the cost of what changed.
//!
//! Where a chunk ends depends on where it begins and on its own bytes, but for the last one of a run, which ends where the
//! run does. So as soon as a cut falls on one of before, every chunk from there is as it was, up to the next byte that
//! changed: none of them is read. What comes out is what cutting the whole file anew would give.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::{ChunkId, Content, Manifest, Node, NodeId, PartRef};
use crate::overlay::LowerError;
use crate::store::{Store, StoreError, Writer};

use super::MAX_BYTES;
use super::manifest::ManifestBuilder;
use super::write::next_len;

/// How much is read at a time where the file is cut anew, in bytes.
const READ_BYTES: usize = 2 * MAX_BYTES;

/// Where a stored file was cut: the chunks that ended because of their bytes.
#[derive(Debug, Default)]
pub struct OldCuts {
    /// By where they begin: length and name.
    chunks: BTreeMap<u64, (u64, ChunkId)>,
}

impl OldCuts {
    /// The cuts of this content, of which the manifests are read.
    ///
    /// # Errors
    /// [`LowerError`] when one of them cannot be read.
    pub fn of(store: &Store, content: &Content) -> Result<Self, LowerError> {
        let mut cuts = Self::default();
        let (Content::Manifest(top) | Content::Sparse { manifest: top, .. }) = content else { return Ok(cuts) };
        let mut at = 0;
        let mut last: Option<(u64, u64, ChunkId)> = None;
        let mut stack = vec![PartRef::Manifest(*top)];
        let mut lens = vec![0];
        while let (Some(part), Some(len)) = (stack.pop(), lens.pop()) {
            // Only now it is known that the one before did not end a run.
            let natural = last.take();
            match part {
                PartRef::Manifest(id) => {
                    last = natural;
                    let node = store.node(id)?;
                    for part in parts_of(&node, id)?.parts.iter().rev() {
                        stack.push(part.target);
                        lens.push(part.len_bytes);
                    }
                }
                PartRef::Hole => at += len,
                PartRef::Chunk(id) => {
                    cuts.chunks.extend(natural.map(|(start, len, id)| (start, (len, id))));
                    last = Some((at, len, id));
                    at += len;
                }
            }
        }
        Ok(cuts)
    }

    /// The chunk that begins here, if it ends before the end of the run and nothing in it changed.
    fn reuse(&self, at: u64, run_end: u64, same: &[Range<u64>]) -> Option<(u64, ChunkId)> {
        let &(len, id) = self.chunks.get(&at)?;
        let end = at.checked_add(len).filter(|end| *end <= run_end)?;
        let before = same.partition_point(|range| range.start <= at).checked_sub(1)?;
        (end <= same[before].end).then_some((len, id))
    }
}

fn parts_of(node: &Node, id: NodeId) -> Result<&Manifest, LowerError> {
    match node {
        Node::Manifest(manifest) => Ok(manifest),
        _ => Err(LowerError::Damaged { id: id.0, why: "is no manifest".into() }),
    }
}

/// A file as it is now.
pub trait Rewritten {
    /// Why it cannot be read or stored.
    type Error: From<StoreError>;

    /// Its length in bytes.
    fn len_bytes(&self) -> u64;

    /// The first run of data at or after an offset inside of it, up to the next hole.
    ///
    /// # Errors
    /// It cannot be found out.
    fn run(&mut self, offset: u64) -> Result<Option<Range<u64>>, Self::Error>;

    /// Fills the buffer from an offset on.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Self::Error>;
}

/// Stores a file of more than [`WHOLE_BYTES`](super::WHOLE_BYTES). In the ranges of `same`, which are in order, every byte
/// is as it was in the stored file with these cuts, whose chunks nobody takes away meanwhile.
///
/// # Errors
/// What the file says, or [`StoreError`] as [`Writer::put_chunk`].
pub fn rewrite<F: Rewritten>(
    writer: &Writer,
    old: &OldCuts,
    same: &[Range<u64>],
    file: &mut F,
) -> Result<Content, F::Error> {
    let mut parts = ManifestBuilder::new(writer);
    let (mut at, len) = (0, file.len_bytes());
    let mut buffer = Vec::with_capacity(READ_BYTES);
    while at < len {
        let run = file.run(at)?.unwrap_or(len..len);
        if run.start > at {
            parts.push(PartRef::Hole, run.start - at)?;
        }
        cut_run(&mut parts, old, same, file, &run, &mut buffer)?;
        at = run.end;
    }
    Ok(parts.finish()?)
}

/// Cuts one run of data. `buffer` only saves memory.
fn cut_run<F: Rewritten>(
    parts: &mut ManifestBuilder<'_>,
    old: &OldCuts,
    same: &[Range<u64>],
    file: &mut F,
    run: &Range<u64>,
    buffer: &mut Vec<u8>,
) -> Result<(), F::Error> {
    buffer.clear();
    let mut at = run.start;
    while at < run.end {
        if let Some((len, id)) = old.reuse(at, run.end, same) {
            parts.push(PartRef::Chunk(id), len)?;
            at += len;
            buffer.clear();
            continue;
        }
        let rest = usize::try_from(run.end - at).unwrap_or(usize::MAX);
        if buffer.len() < MAX_BYTES.min(rest) {
            let had = buffer.len();
            buffer.resize(READ_BYTES.min(rest), 0);
            file.read(at + had as u64, &mut buffer[had..])?;
        }
        let len = next_len(buffer);
        let id = parts.writer().put_chunk(&buffer[..len])?;
        parts.push(PartRef::Chunk(id), len as u64)?;
        buffer.drain(..len);
        at += len as u64;
    }
    Ok(())
}
