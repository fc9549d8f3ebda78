//! Frozen nodes for code that runs under a lock and so must not wait for the disk.
//!
//! Such code asks [`Nodes`], and stops with [`Stop::Need`] when a node is not in memory. Its caller then lets go of
//! everything, loads the node, keeps it, and starts over: each round gets further, and no lock is held across I/O.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::{Body, DirRef, Entry, Ino, Leaf, Name, Node, NodeId, ObjectId};

use super::known::Location;

use super::{Error, Lower, LowerError};

/// Why code that runs under a lock came back without a result.
#[derive(Debug)]
pub(super) enum Stop {
    /// This node has to be loaded first.
    Need(NodeId),
    /// Nobody remembers where this inode stands: the base has to be searched.
    Lost(Ino),
    /// The operation failed.
    Fail(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fail(error)
    }
}

/// The nodes at hand.
pub(super) struct Nodes<'a> {
    lower: &'a dyn Lower,
    held: Vec<(NodeId, Arc<Node>)>,
}

impl<'a> Nodes<'a> {
    pub fn new(lower: &'a dyn Lower) -> Self {
        Self { lower, held: Vec::new() }
    }

    /// Loads a node and keeps it for the next attempt.
    pub fn load(&mut self, id: NodeId) -> Result<(), LowerError> {
        self.held.push((id, self.lower.load(id)?));
        Ok(())
    }
}

/// An entry found in a frozen directory.
pub(super) struct Found {
    pub leaf: NodeId,
    pub index: usize,
    pub node: Arc<Node>,
}

impl Found {
    pub fn entry(&self) -> Result<&Entry, Stop> {
        leaf(self.leaf, &self.node)?.entries.get(self.index).ok_or_else(|| damaged(self.leaf.0, "has too few entries"))
    }
}

impl Nodes<'_> {
    pub fn get(&self, id: NodeId) -> Result<Arc<Node>, Stop> {
        let held = self.held.iter().find(|(held, _)| *held == id).map(|(_, node)| node.clone());
        held.or_else(|| self.lower.cached(id)).ok_or(Stop::Need(id))
    }

    /// Looks a name up in a frozen directory.
    pub fn find(&self, dir: DirRef, name: &[u8]) -> Result<Option<Found>, Stop> {
        let mut id = dir.node;
        loop {
            let node = self.get(id)?;
            match &*node {
                Node::Leaf(entries) => {
                    return Ok(entries.position(name).map(|index| Found { leaf: id, index, node: node.clone() }));
                }
                Node::Branch(branch) => match branch.child_of(name) {
                    Some((child, _)) => id = child.node,
                    None => return Ok(None),
                },
                Node::Manifest(_) | Node::Root(_) => return Err(damaged(id.0, "is no directory")),
            }
        }
    }

    /// The leaf that holds the `at`-th entry of a frozen directory, with the number of entries before that leaf;
    /// `None` past the end.
    pub fn leaf_at(&self, dir: DirRef, at: u64) -> Result<Option<(NodeId, Arc<Node>, u64)>, Stop> {
        let (mut id, mut before) = (dir.node, 0);
        'down: loop {
            let node = self.get(id)?;
            match &*node {
                Node::Leaf(entries) => {
                    let inside = at < before + entries.entries.len() as u64;
                    return Ok(inside.then(|| (id, node.clone(), before)));
                }
                Node::Branch(branch) => {
                    for child in &branch.children {
                        if at < before.saturating_add(child.entries) {
                            id = child.node;
                            continue 'down;
                        }
                        before = before.saturating_add(child.entries);
                    }
                    return Ok(None);
                }
                Node::Manifest(_) | Node::Root(_) => return Err(damaged(id.0, "is no directory")),
            }
        }
    }

    /// How many entries a frozen directory has.
    pub fn count(&self, dir: DirRef) -> Result<u64, Stop> {
        match &*self.get(dir.node)? {
            Node::Leaf(entries) => Ok(entries.entries.len() as u64),
            Node::Branch(branch) => Ok(branch.entries()),
            Node::Manifest(_) | Node::Root(_) => Err(damaged(dir.node.0, "is no directory")),
        }
    }
}

/// The node as a leaf.
pub(super) fn leaf(id: NodeId, node: &Node) -> Result<&Leaf, Stop> {
    match node {
        Node::Leaf(leaf) => Ok(leaf),
        _ => Err(damaged(id.0, "is no directory leaf")),
    }
}

fn damaged(id: ObjectId, why: &str) -> Stop {
    Stop::Fail(LowerError::Damaged { id, why: why.to_owned() }.into())
}

/// Finds an inode by number alone, by reading the frozen tree until it turns up: for the rare case that the kernel
/// holds a name of it whose directory it has forgotten. `shown` is what of frozen directories the delta shows.
pub(super) fn search(lower: &dyn Lower, shown: &Shown, ino: Ino) -> Result<Option<Location>, LowerError> {
    let mut todo: Vec<(Ino, NodeId, Option<&FxHashSet<Name>>)> =
        shown.dirs.iter().map(|(dir, base, hidden)| (*dir, base.node, Some(hidden))).collect();
    while let Some((parent, id, hidden)) = todo.pop() {
        match &*lower.load(id)? {
            Node::Branch(branch) => todo.extend(branch.children.iter().map(|child| (parent, child.node, hidden))),
            Node::Leaf(leaf) => {
                let is_shown = |entry: &Entry| !hidden.is_some_and(|hidden| hidden.contains(&entry.name));
                let found = leaf.entries.iter().position(|entry| entry.attr.ino == ino && is_shown(entry));
                if let Some(index) = found {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    return Ok(Some(Location { parent, leaf: id, index }));
                }
                let below =
                    leaf.entries.iter().filter(|entry| is_shown(entry) && !shown.inodes.contains(&entry.attr.ino));
                todo.extend(below.filter_map(|entry| match &entry.body {
                    Body::Dir(dir) => Some((entry.attr.ino, dir.node, None)),
                    _ => None,
                }));
            }
            Node::Manifest(_) | Node::Root(_) => {
                return Err(LowerError::Damaged { id: id.0, why: "is no directory".to_owned() });
            }
        }
    }
    Ok(None)
}

/// What of the frozen directories shows in a session.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Directories of the delta with a frozen side, and the names in them about which the delta says something.
    pub dirs: Vec<(Ino, DirRef, FxHashSet<Name>)>,
    /// The inodes of the delta.
    pub inodes: FxHashSet<Ino>,
}
