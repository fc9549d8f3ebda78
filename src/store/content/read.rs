//! Reading ranges of content, and finding data and holes.

use std::sync::Arc;

use crate::model::{Content, Manifest, Node, NodeId, PartRef};
use crate::overlay::{LowerError, Whence};
use crate::store::Store;

/// Manifests nest no deeper than this. With hundreds of parts each, 4 levels hold any file.
const MAX_DEPTH: usize = 8;

/// Fills `buf` with the content's bytes from `offset` on. Only the chunks of that range are touched.
pub(in crate::store) fn read(store: &Store, content: &Content, offset: u64, buf: &mut [u8]) -> Result<(), LowerError> {
    match content {
        _ if buf.is_empty() => Ok(()),
        Content::Hole => {
            buf.fill(0);
            Ok(())
        }
        Content::Chunk(id) => read_part(store, &PartRef::Chunk(*id), offset, buf, 0),
        Content::Manifest(id) | Content::Sparse { manifest: id, .. } => {
            read_part(store, &PartRef::Manifest(*id), offset, buf, 0)
        }
    }
}

fn read_part(store: &Store, target: &PartRef, offset: u64, buf: &mut [u8], depth: usize) -> Result<(), LowerError> {
    match target {
        PartRef::Hole => {
            buf.fill(0);
            Ok(())
        }
        PartRef::Chunk(id) => {
            let chunk = store.chunk(*id)?;
            let from = usize::try_from(offset).ok().and_then(|start| chunk.get(start..)?.get(..buf.len()));
            let from =
                from.ok_or_else(|| LowerError::Damaged { id: id.0, why: "it is shorter than its file".into() })?;
            buf.copy_from_slice(from);
            Ok(())
        }
        PartRef::Manifest(id) => {
            let node = manifest(store, *id, depth)?;
            read_parts(store, *id, parts_of(&node), offset, buf, depth + 1)
        }
    }
}

fn read_parts(
    store: &Store,
    id: NodeId,
    manifest: &Manifest,
    offset: u64,
    mut buf: &mut [u8],
    depth: usize,
) -> Result<(), LowerError> {
    let mut skip = offset;
    for part in &manifest.parts {
        if skip >= part.len_bytes {
            skip -= part.len_bytes;
            continue;
        }
        let count = buf.len().min(usize::try_from(part.len_bytes - skip).unwrap_or(usize::MAX));
        let (now, later) = buf.split_at_mut(count);
        read_part(store, &part.target, skip, now, depth)?;
        buf = later;
        skip = 0;
        if buf.is_empty() {
            return Ok(());
        }
    }
    Err(LowerError::Damaged { id: id.0, why: "it is shorter than its file".into() })
}

/// The first offset in `offset..len_bytes` that is data, or a hole.
pub(in crate::store) fn seek(
    store: &Store,
    content: &Content,
    len_bytes: u64,
    offset: u64,
    what: Whence,
) -> Result<Option<u64>, LowerError> {
    if offset >= len_bytes {
        return Ok(None);
    }
    let found = match (content, what) {
        (Content::Hole, Whence::Hole) | (Content::Chunk(_), Whence::Data) => Some(offset),
        (Content::Hole, Whence::Data) | (Content::Chunk(_), Whence::Hole) => None,
        (Content::Manifest(id) | Content::Sparse { manifest: id, .. }, _) => {
            seek_manifest(store, *id, offset, what, 0)?
        }
    };
    Ok(found.filter(|at| *at < len_bytes))
}

/// As [`seek`], inside one manifest and relative to its start.
fn seek_manifest(
    store: &Store,
    id: NodeId,
    offset: u64,
    what: Whence,
    depth: usize,
) -> Result<Option<u64>, LowerError> {
    let node = manifest(store, id, depth)?;
    let mut start = 0u64;
    for part in &parts_of(&node).parts {
        let end = start + part.len_bytes;
        if end > offset {
            let from = offset.max(start);
            match (&part.target, what) {
                (PartRef::Hole, Whence::Hole) | (PartRef::Chunk(_), Whence::Data) => return Ok(Some(from)),
                (PartRef::Hole, Whence::Data) | (PartRef::Chunk(_), Whence::Hole) => {}
                (PartRef::Manifest(id), _) => {
                    if let Some(at) = seek_manifest(store, *id, from - start, what, depth + 1)? {
                        return Ok(Some(start + at));
                    }
                }
            }
        }
        start = end;
    }
    Ok(None)
}

/// The node of this name, which is a manifest.
fn manifest(store: &Store, id: NodeId, depth: usize) -> Result<Arc<Node>, LowerError> {
    let damaged = |why: &str| LowerError::Damaged { id: id.0, why: why.into() };
    if depth >= MAX_DEPTH {
        return Err(damaged("manifests are nested too deep"));
    }
    let node = store.node(id)?;
    match &*node {
        Node::Manifest(_) => Ok(node),
        _ => Err(damaged("it is no manifest")),
    }
}

fn parts_of(node: &Node) -> &Manifest {
    static NONE: Manifest = Manifest { parts: Vec::new() };
    match node {
        Node::Manifest(manifest) => manifest,
        _ => &NONE,
    }
}
