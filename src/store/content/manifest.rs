//! Building manifests, of any number of parts in bounded memory.

use crate::model::{Content, Manifest, Node, NodeId, ObjectId, Part, PartRef};
use crate::store::{StoreError, Writer};

/// A manifest that is not the last of its level has at least this many parts…
const MIN_PARTS: usize = 256;
/// …and about this many more, until a part's id says that it ends…
const MORE_PARTS: u32 = 1024;
/// …but never more than this in all.
const MAX_PARTS: usize = 4096;

/// Takes parts in file order, and stores the manifests over them.
#[derive(Debug)]
pub(super) struct ManifestBuilder<'w> {
    writer: &'w Writer,
    /// The unfinished manifest of each level; the first is over chunks, each other over manifests of the one before.
    levels: Vec<Vec<Part>>,
    data_bytes: u64,
    hole_bytes: u64,
}

impl<'w> ManifestBuilder<'w> {
    pub fn new(writer: &'w Writer) -> Self {
        Self { writer, levels: vec![Vec::new()], data_bytes: 0, hole_bytes: 0 }
    }

    pub fn writer(&self) -> &'w Writer {
        self.writer
    }

    /// Whether no part has come yet.
    pub fn is_empty(&self) -> bool {
        self.levels.len() == 1 && self.levels[0].is_empty()
    }

    /// Adds a part of at least one byte. A hole is joined with one just before it.
    pub fn push(&mut self, target: PartRef, len_bytes: u64) -> Result<(), StoreError> {
        match target {
            PartRef::Hole => self.hole_bytes += len_bytes,
            PartRef::Chunk(_) | PartRef::Manifest(_) => self.data_bytes += len_bytes,
        }
        let parts = &mut self.levels[0];
        if target == PartRef::Hole
            && let Some(last) = parts.last_mut()
            && last.target == PartRef::Hole
        {
            last.len_bytes += len_bytes;
            return Ok(());
        }
        self.carry(0, Part { target, len_bytes })
    }

    /// Adds a part to a level. A full manifest is closed only when the next part comes: a hole at its end may grow.
    fn carry(&mut self, level: usize, part: Part) -> Result<(), StoreError> {
        let mut level = level;
        let mut part = Some(part);
        while let Some(next) = part.take() {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            if ends_here(&self.levels[level]) {
                part = Some(self.close(level)?);
            }
            self.levels[level].push(next);
            level += 1;
        }
        Ok(())
    }

    /// Stores the unfinished manifest of a level, and empties it.
    fn close(&mut self, level: usize) -> Result<Part, StoreError> {
        let manifest = Manifest { parts: std::mem::take(&mut self.levels[level]) };
        let len_bytes = manifest.len_bytes();
        let id = self.writer.put_node(&Node::Manifest(manifest))?;
        Ok(Part { target: PartRef::Manifest(id), len_bytes })
    }

    fn of_manifest(&self, manifest: NodeId) -> Content {
        match self.hole_bytes {
            0 => Content::Manifest(manifest),
            _ => Content::Sparse { manifest, data_bytes: self.data_bytes },
        }
    }

    /// Stores what is left, and returns the content over all parts.
    pub fn finish(mut self) -> Result<Content, StoreError> {
        let mut level = 0;
        loop {
            let is_top = level + 1 == self.levels.len();
            match self.levels[level].as_slice() {
                [] if is_top => return Ok(Content::Hole),
                [Part { target: PartRef::Hole, .. }] if is_top && level == 0 => return Ok(Content::Hole),
                [Part { target: PartRef::Chunk(id), .. }] if is_top => return Ok(Content::Chunk(*id)),
                [Part { target: PartRef::Manifest(id), .. }] if is_top => return Ok(self.of_manifest(*id)),
                _ => {}
            }
            let part = self.close(level)?;
            level += 1;
            self.carry(level, part)?;
        }
    }
}

/// Whether a manifest with these parts is full.
fn ends_here(parts: &[Part]) -> bool {
    let Some(last) = parts.last() else { return false };
    let id: ObjectId = match last.target {
        PartRef::Hole => return parts.len() >= MAX_PARTS,
        PartRef::Chunk(id) => id.0,
        PartRef::Manifest(id) => id.0,
    };
    let word = u32::from_le_bytes([id.0[0], id.0[1], id.0[2], id.0[3]]);
    parts.len() >= MAX_PARTS || parts.len() >= MIN_PARTS && word.is_multiple_of(MORE_PARTS)
}
