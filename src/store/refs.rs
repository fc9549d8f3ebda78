//! What a node refers to.

use crate::model::{Body, ChunkId, Content, Entry, Node, NodeId, PartRef};

/// An object that a node refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ref {
    /// A node.
    Node(NodeId),
    /// A chunk.
    Chunk(ChunkId),
}

/// Names every object that the node refers to, in order; one can come more than once.
pub fn references(node: &Node, mut visit: impl FnMut(Ref)) {
    match node {
        Node::Leaf(leaf) => leaf.entries.iter().for_each(|entry| of_entry(entry, &mut visit)),
        Node::Branch(branch) => branch.children.iter().for_each(|child| visit(Ref::Node(child.node))),
        Node::Manifest(manifest) => manifest.parts.iter().for_each(|part| match part.target {
            PartRef::Hole => {}
            PartRef::Chunk(id) => visit(Ref::Chunk(id)),
            PartRef::Manifest(id) => visit(Ref::Node(id)),
        }),
        Node::Root(root) => visit(Ref::Node(root.dir.node)),
    }
}

/// The objects that an entry refers to.
pub fn of_entry(entry: &Entry, visit: &mut impl FnMut(Ref)) {
    match &entry.body {
        Body::File(Content::Chunk(id)) => visit(Ref::Chunk(*id)),
        Body::File(Content::Manifest(id) | Content::Sparse { manifest: id, .. }) => visit(Ref::Node(*id)),
        Body::Dir(dir) => visit(Ref::Node(dir.node)),
        Body::File(Content::Hole) | Body::Symlink(_) | Body::Special => {}
    }
}
