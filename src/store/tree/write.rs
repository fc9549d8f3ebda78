//! Storing directories.

use crate::model::{Body, Branch, Child, DirRef, Entry, Leaf, Node};
use crate::store::{StoreError, Writer};

use super::content_hash;
use super::split::split;

/// About the bytes that an entry's numbers, times and ids take when encoded.
const FIXED_BYTES: usize = 90;

/// Stores a directory with these entries, in any order.
///
/// # Errors
/// [`StoreError::DuplicateName`], or as [`Writer::put_node`].
pub fn write_dir(writer: &Writer, mut entries: Vec<Entry>) -> Result<DirRef, StoreError> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(StoreError::DuplicateName(pair[0].name.clone()));
    }
    let content = content_hash(&entries);
    let runs = split(&entries, 0, |entry| &entry.name, weight);
    if runs.len() == 1 {
        let node = writer.put_node(&Node::Leaf(Leaf { entries }))?;
        return Ok(DirRef { node, content });
    }
    let mut children = Vec::with_capacity(runs.len());
    let mut rest = entries.into_iter();
    for run in runs {
        let leaf: Vec<Entry> = rest.by_ref().take(run.len()).collect();
        let first = leaf[0].name.clone();
        let node = writer.put_node(&Node::Leaf(Leaf { entries: leaf }))?;
        children.push(Child { first, node, entries: run.len() as u64 });
    }
    let mut level = 1;
    loop {
        let runs = split(&children, level, |child| &child.first, |child| child.first.len() + 40);
        if runs.len() == 1 {
            let node = writer.put_node(&Node::Branch(Branch { children }))?;
            return Ok(DirRef { node, content });
        }
        let mut above = Vec::with_capacity(runs.len());
        let mut rest = children.into_iter();
        for run in runs {
            let branch = Branch { children: rest.by_ref().take(run.len()).collect() };
            let (first, entries) = (branch.children[0].first.clone(), branch.entries());
            above.push(Child { first, node: writer.put_node(&Node::Branch(branch))?, entries });
        }
        children = above;
        level += 1;
    }
}

/// About the length of the entry's encoding, in bytes.
fn weight(entry: &Entry) -> usize {
    let body = match &entry.body {
        Body::Symlink(target) => target.len(),
        Body::File(_) | Body::Dir(_) | Body::Special => 32,
    };
    let xattrs = entry.xattrs.iter().flat_map(|map| map.iter()).map(|(name, value)| name.len() + value.len() + 8);
    FIXED_BYTES + entry.name.len() + body + xattrs.sum::<usize>()
}
