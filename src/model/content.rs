//! What a file's bytes are: a hole, one chunk, or a manifest of chunks.

use super::{ChunkId, CodecError, NodeId, Reader, Writer};

/// Where the bytes of a frozen file are. The file's length stands beside it, in its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// No stored bytes: an empty file, or one that is all hole.
    Hole,
    /// The whole file is this one chunk.
    Chunk(ChunkId),
    /// A list of chunks.
    Manifest(NodeId),
    /// A list of chunks and holes.
    Sparse {
        /// The list.
        manifest: NodeId,
        /// How many bytes of the file are no hole.
        data_bytes: u64,
    },
}

impl Content {
    /// How many of a file's `len_bytes` are no hole.
    #[must_use]
    pub fn data_bytes(&self, len_bytes: u64) -> u64 {
        match self {
            Self::Hole => 0,
            Self::Chunk(_) | Self::Manifest(_) => len_bytes,
            Self::Sparse { data_bytes, .. } => len_bytes.min(*data_bytes),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Hole => writer.byte(0),
            Self::Chunk(id) => {
                writer.byte(1);
                writer.id(&id.0);
            }
            Self::Manifest(id) => {
                writer.byte(2);
                writer.id(&id.0);
            }
            Self::Sparse { manifest, data_bytes } => {
                writer.byte(3);
                writer.id(&manifest.0);
                writer.uint(*data_bytes);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.byte()? {
            0 => Ok(Self::Hole),
            1 => Ok(Self::Chunk(ChunkId(reader.id()?))),
            2 => Ok(Self::Manifest(NodeId(reader.id()?))),
            3 => Ok(Self::Sparse { manifest: NodeId(reader.id()?), data_bytes: reader.uint()? }),
            _ => Err(CodecError::Invalid("content")),
        }
    }
}

/// What one part of a manifest stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartRef {
    /// Zeros that are not stored.
    Hole,
    /// One chunk.
    Chunk(ChunkId),
    /// A manifest further down, for very large files.
    Manifest(NodeId),
}

/// One part of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub target: PartRef,
    /// How many bytes of the file it covers; never 0.
    pub len_bytes: u64,
}

/// The content of a large file, in file order. The parts' lengths add up to the file's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The parts in file order; two holes never stand side by side.
    pub parts: Vec<Part>,
}

impl Manifest {
    /// The bytes that the parts cover together.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len_bytes).sum()
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.uint(self.parts.len() as u64);
        for part in &self.parts {
            let (tag, id) = match part.target {
                PartRef::Hole => (0, None),
                PartRef::Chunk(id) => (1, Some(id.0)),
                PartRef::Manifest(id) => (2, Some(id.0)),
            };
            writer.byte(tag);
            writer.uint(part.len_bytes);
            if let Some(id) = id {
                writer.id(&id);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let count = reader.uint_as::<usize>("part count")?;
        let mut parts = Vec::with_capacity(count.min(1 << 16));
        let mut total = 0u64;
        for _ in 0..count {
            let tag = reader.byte()?;
            let len_bytes = reader.uint()?;
            let target = match tag {
                0 => PartRef::Hole,
                1 => PartRef::Chunk(ChunkId(reader.id()?)),
                2 => PartRef::Manifest(NodeId(reader.id()?)),
                _ => return Err(CodecError::Invalid("part")),
            };
            total = total.checked_add(len_bytes).filter(|_| len_bytes > 0).ok_or(CodecError::Invalid("part length"))?;
            parts.push(Part { target, len_bytes });
        }
        Ok(Self { parts })
    }
}
