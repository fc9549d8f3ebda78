//! Reading frozen directories and whole trees.

use std::ops::Deref;
use std::sync::Arc;

use crate::model::{Body, BytePath, DirRef, Entry, Leaf, Node, NodeId, Root, RootId};
use crate::overlay::{Lower, LowerError};

/// Branches nest no deeper than this.
const MAX_DEPTH: usize = 16;

/// An entry inside a node that is shared with the cache.
#[derive(Clone, Debug)]
pub struct EntryRef {
    /// A leaf, in which `at` is a position.
    node: Arc<Node>,
    at: usize,
}

impl Deref for EntryRef {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &leaf_of(&self.node).entries[self.at]
    }
}

fn leaf_of(node: &Node) -> &Leaf {
    static NONE: Leaf = Leaf { entries: Vec::new() };
    match node {
        Node::Leaf(leaf) => leaf,
        _ => &NONE,
    }
}

fn damaged(id: NodeId, why: &str) -> LowerError {
    LowerError::Damaged { id: id.0, why: why.into() }
}

/// The root of a tree.
///
/// # Errors
/// [`LowerError`] when it is missing, damaged or unreadable.
pub fn root(lower: &dyn Lower, id: RootId) -> Result<Root, LowerError> {
    match &*lower.load(id.into())? {
        Node::Root(root) => Ok(Root::clone(root)),
        _ => Err(damaged(id.into(), "it is no root")),
    }
}

/// The entries of a directory, in the order of their names.
pub fn entries(lower: &dyn Lower, dir: DirRef) -> Entries<'_> {
    Entries { lower, pending: vec![(dir.node, 0)], leaf: None }
}

/// Goes through the entries of a directory, loading one node at a time. After an error it ends.
#[derive(Debug)]
pub struct Entries<'l> {
    lower: &'l dyn Lower,
    /// Nodes still to come, the next one last, with how many branches are above each.
    pending: Vec<(NodeId, usize)>,
    leaf: Option<EntryRef>,
}

impl Entries<'_> {
    fn open(&mut self, id: NodeId, depth: usize) -> Result<(), LowerError> {
        if depth >= MAX_DEPTH {
            return Err(damaged(id, "branches are nested too deep"));
        }
        let node = self.lower.load(id)?;
        match &*node {
            Node::Leaf(_) => self.leaf = Some(EntryRef { node, at: 0 }),
            Node::Branch(branch) => {
                self.pending.extend(branch.children.iter().rev().map(|child| (child.node, depth + 1)));
            }
            Node::Manifest(_) | Node::Root(_) => return Err(damaged(id, "it is no directory")),
        }
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<EntryRef, LowerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = &mut self.leaf
                && next.at < leaf_of(&next.node).entries.len()
            {
                let entry = next.clone();
                next.at += 1;
                return Some(Ok(entry));
            }
            self.leaf = None;
            let (id, depth) = self.pending.pop()?;
            if let Err(error) = self.open(id, depth) {
                self.pending.clear();
                return Some(Err(error));
            }
        }
    }
}

/// The entry of this name.
///
/// # Errors
/// [`LowerError`] when a node on the way is missing, damaged or unreadable.
pub fn lookup(lower: &dyn Lower, dir: DirRef, name: &[u8]) -> Result<Option<EntryRef>, LowerError> {
    let mut id = dir.node;
    for _ in 0..MAX_DEPTH {
        let node = lower.load(id)?;
        match &*node {
            Node::Leaf(leaf) => {
                let at = leaf.position(name);
                return Ok(at.map(|at| EntryRef { node: node.clone(), at }));
            }
            Node::Branch(branch) => match branch.child_of(name) {
                Some((child, _)) => id = child.node,
                None => return Ok(None),
            },
            Node::Manifest(_) | Node::Root(_) => return Err(damaged(id, "it is no directory")),
        }
    }
    Err(damaged(id, "branches are nested too deep"))
}

/// The entry at this path; for the empty path that of the root, whose name has no meaning.
///
/// # Errors
/// [`LowerError`] when a node on the way is missing, damaged or unreadable.
pub fn find_path(lower: &dyn Lower, id: RootId, path: &BytePath) -> Result<Option<Entry>, LowerError> {
    let mut entry = root(lower, id)?.as_entry();
    for name in path.components() {
        let Body::Dir(dir) = entry.body else { return Ok(None) };
        match lookup(lower, dir, name)? {
            Some(found) => entry = Entry::clone(&found),
            None => return Ok(None),
        }
    }
    Ok(Some(entry))
}

/// What a walk does after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Goes on, and into the entry if it is a directory.
    Into,
    /// Goes on, but not into the entry.
    Over,
}

/// Visits every entry of a tree: the root with the empty path first, each directory before what is in it, names in
/// order. `visit` may end the walk with an error of its own.
///
/// # Errors
/// Those of `visit`, and [`LowerError`] when a node is missing, damaged or unreadable.
pub fn walk<E: From<LowerError>>(
    lower: &dyn Lower,
    id: RootId,
    mut visit: impl FnMut(&BytePath, &Entry) -> Result<Step, E>,
) -> Result<(), E> {
    let top = root(lower, id)?.as_entry();
    let path = BytePath::root();
    let mut open = Vec::new();
    if visit(&path, &top)? == Step::Into
        && let Body::Dir(dir) = top.body
    {
        open.push((path, entries(lower, dir)));
    }
    while let Some((parent, rest)) = open.last_mut() {
        let Some(entry) = rest.next() else {
            open.pop();
            continue;
        };
        let entry = entry?;
        let path = parent.join(&entry.name);
        if visit(&path, &entry)? == Step::Into
            && let Body::Dir(dir) = entry.body
        {
            open.push((path, entries(lower, dir)));
        }
    }
    Ok(())
}
