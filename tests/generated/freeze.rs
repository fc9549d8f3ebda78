//! Freezes a model's tree into content-addressed nodes, as an import would, so that a session can stand on it.
//!
//! Directories are cut into tiny leaves and files into tiny chunks, so that small trees reach the code for large ones.

use std::collections::HashMap;
use std::sync::Arc;

use aether::model::{
    Body, Branch, Child, ChunkId, Content, ContentHash, DirRef, Entry, Ino, Leaf, Manifest, Name, Node, NodeId,
    ObjectId, ObjectKind, Part, PartRef, ROOT_INO, Root, Totals, Xattrs,
};

use super::memory::MemoryLower;
use super::model::{self, Inode, State};
use super::sparse::Sparse;

/// Entries of a leaf, and children of a branch.
const FAN: usize = 4;

/// Bytes of a chunk.
const CHUNK_BYTES: u64 = 3000;

/// Parts of a manifest.
const PARTS: usize = 5;

/// What was frozen so far.
#[derive(Default)]
struct Freezer {
    nodes: HashMap<NodeId, Arc<Node>>,
    chunks: HashMap<ChunkId, Vec<u8>>,
}

/// The tree as a frozen one.
pub fn freeze(state: &State, miss_percent: u64) -> (Root, MemoryLower) {
    let mut freezer = Freezer::default();
    let inode = &state.inodes[&ROOT_INO];
    let dir = freezer.dir(state, inode);
    let root =
        Root { attr: inode.attr.clone(), dir, xattrs: xattrs(inode), next_ino: state.next, totals: totals(state) };
    (root, MemoryLower::new(freezer.nodes, freezer.chunks, miss_percent))
}

/// How much the tree holds.
pub fn totals(state: &State) -> Totals {
    let mut totals = Totals::default();
    for inode in state.inodes.values().filter(|inode| inode.attr.nlink > 0) {
        match &inode.body {
            model::Body::Dir(_) => totals.dirs += 1,
            model::Body::File(bytes) => {
                (totals.files, totals.size_bytes) = (totals.files + 1, totals.size_bytes + bytes.len)
            }
            _ => totals.files += 1,
        }
    }
    totals
}

fn xattrs(inode: &Inode) -> Option<Xattrs> {
    let all = inode.xattrs.iter().map(|(name, value)| (name.as_slice().into(), value.as_slice().into()));
    (!inode.xattrs.is_empty()).then(|| Arc::new(all.collect()))
}

impl Freezer {
    fn keep(&mut self, node: Node) -> NodeId {
        let (id, bytes) = node.seal();
        let read_back = Node::decode(&bytes).expect("what was encoded can be decoded");
        self.nodes.insert(id, Arc::new(read_back));
        id
    }

    fn dir(&mut self, state: &State, inode: &Inode) -> DirRef {
        let model::Body::Dir(dir) = &inode.body else { unreachable!("only directories are frozen as such") };
        let entries: Vec<Entry> = dir.entries.iter().map(|(name, &(ino, _))| self.entry(state, name, ino)).collect();
        let mut level: Vec<Child> = Vec::new();
        for part in entries.chunks(FAN) {
            let node = self.keep(Node::Leaf(Leaf { entries: part.to_vec() }));
            level.push(Child { first: part[0].name.clone(), node, entries: part.len() as u64 });
        }
        while level.len() > 1 {
            let above: Vec<Child> = level
                .chunks(FAN)
                .map(|part| Child {
                    first: part[0].first.clone(),
                    entries: part.iter().map(|child| child.entries).sum(),
                    node: self.keep(Node::Branch(Branch { children: part.to_vec() })),
                })
                .collect();
            level = above;
        }
        let node = match level.first() {
            Some(top) => top.node,
            None => self.keep(Node::Leaf(Leaf::default())),
        };
        DirRef { node, content: ContentHash(node.0) }
    }

    fn entry(&mut self, state: &State, name: &[u8], ino: Ino) -> Entry {
        let inode = &state.inodes[&ino];
        let body = match &inode.body {
            model::Body::Dir(_) => Body::Dir(self.dir(state, inode)),
            model::Body::File(bytes) => Body::File(self.content(bytes)),
            model::Body::Symlink(target) => Body::Symlink(target.as_slice().into()),
            model::Body::Special => Body::Special,
        };
        let name = Name::new(name).expect("a model's names are valid");
        Entry { name, attr: inode.attr.clone(), body, xattrs: xattrs(inode) }
    }

    fn chunk(&mut self, bytes: Vec<u8>) -> ChunkId {
        let id = ChunkId(ObjectId::of(ObjectKind::Chunk, &bytes));
        self.chunks.insert(id, bytes);
        id
    }

    fn content(&mut self, bytes: &Sparse) -> Content {
        if bytes.is_zero(0, bytes.len) {
            return Content::Hole;
        }
        if bytes.len <= CHUNK_BYTES {
            return Content::Chunk(self.chunk(bytes.bytes(0, bytes.len)));
        }
        let (mut parts, mut at): (Vec<Part>, u64) = (Vec::new(), 0);
        while at < bytes.len {
            let len_bytes = CHUNK_BYTES.min(bytes.len - at);
            let hole = bytes.is_zero(at, at + len_bytes);
            match parts.last_mut() {
                Some(Part { target: PartRef::Hole, len_bytes: before }) if hole => *before += len_bytes,
                _ if hole => parts.push(Part { target: PartRef::Hole, len_bytes }),
                _ => {
                    let target = PartRef::Chunk(self.chunk(bytes.bytes(at, len_bytes)));
                    parts.push(Part { target, len_bytes });
                }
            }
            at += len_bytes;
        }
        while parts.len() > PARTS {
            let above: Vec<Part> = parts
                .chunks(PARTS)
                .map(|part| {
                    let manifest = Manifest { parts: part.to_vec() };
                    let len_bytes = manifest.len_bytes();
                    Part { target: PartRef::Manifest(self.keep(Node::Manifest(manifest))), len_bytes }
                })
                .collect();
            parts = above;
        }
        Content::Manifest(self.keep(Node::Manifest(Manifest { parts })))
    }
}
