//! How the bytes of the packs divide among the trees that need them.
//!
//! Every object gets its part of the pack that has it: of the block that it is compressed in, a part as large as its
//! part of the block before compression, and what the tables say of it. A second copy belongs to nobody. The parts of all
//! objects, and the frames of the packs, are together the lengths of the files, to the byte.
//!
//! Each node is read once, into a graph of numbers: what a tree needs is then found without the disk. About 60 bytes an
//! object are in memory, and 4 for each reference.

use crate::model::{NodeId, ObjectId};

use super::gc::{ByShort, Short};
use super::pack::{BlockRecord, finished_name};
use super::refs::{Ref, references};
use super::{Store, StoreError};

/// Bytes of a pack that every object takes in the tables of its block and of the footer.
const TABLES_BYTES: u64 = 72;
/// Bytes of a pack that every block takes for its head and its line of the footer.
const BLOCK_BYTES: u64 = 56;

/// An object, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part(u32);

impl Part {
    /// Its place in a list of all objects.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What trees need, and what that takes on the disk.
#[derive(Debug, Default)]
pub struct Usage {
    numbers: ByShort<u32>,
    /// Where the references of each object begin, and how many there are.
    spans: Vec<(u32, u32)>,
    references: Vec<u32>,
    bytes: Vec<u64>,
    /// Bytes of all packs.
    pub pack_bytes: u64,
    /// Of these, bytes of objects that none of the trees needs, and of second copies.
    pub dead_bytes: u64,
    /// Of these, bytes that belong to no object.
    pub frame_bytes: u64,
    /// Objects that trees need and that cannot be had.
    pub missing: u64,
}

/// What was seen of a [`Usage`] on a walk; kept from one to the next to save memory.
#[derive(Debug, Default)]
pub struct Walk {
    seen: Vec<u32>,
    number: u32,
}

impl Store {
    /// Finds out what these trees need. What cannot be read is counted, and is no error.
    ///
    /// # Errors
    /// What the disk says.
    pub fn usage(&self, roots: &[ObjectId]) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        let mut stack = Vec::new();
        for root in roots {
            if let (number, true) = usage.number(root) {
                stack.push((NodeId(*root), number));
            }
        }
        while let Some((id, number)) = stack.pop() {
            let node = match self.node(id) {
                Ok(node) => node,
                Err(error) => match StoreError::from(error) {
                    error if error.is_damage() => {
                        usage.missing += 1;
                        continue;
                    }
                    error => return Err(error),
                },
            };
            let start = usage.references.len();
            references(&node, |found| {
                let (id, node) = match found {
                    Ref::Node(id) => (id.0, Some(id)),
                    Ref::Chunk(id) => (id.0, None),
                };
                let (number, is_new) = usage.number(&id);
                usage.references.push(number);
                stack.extend(node.filter(|_| is_new).map(|node| (node, number)));
            });
            let count = usage.references.len() - start;
            usage.spans[number as usize] = (small(start), small(count));
        }
        self.weigh(&mut usage)?;
        Ok(usage)
    }

    /// Divides the packs.
    fn weigh(&self, usage: &mut Usage) -> Result<(), StoreError> {
        let mut weighed = vec![false; usage.bytes.len()];
        for path in self.inner.disk.list(&self.inner.packs)? {
            if finished_name(&path).is_none() {
                continue;
            }
            let Some((pack, contents)) = self.inner.read_contents(&path)? else { continue };
            let mut rest = pack.len();
            for block in &contents.blocks {
                for (id, bytes) in shares(block) {
                    let bytes = bytes.min(rest);
                    rest -= bytes;
                    match usage.numbers.get(&Short::of(&id)) {
                        Some(&number) if !weighed[number as usize] => {
                            weighed[number as usize] = true;
                            usage.bytes[number as usize] = bytes;
                        }
                        _ => usage.dead_bytes += bytes,
                    }
                }
            }
            usage.pack_bytes += pack.len();
            usage.frame_bytes += rest;
        }
        usage.missing += weighed.iter().filter(|weighed| !**weighed).count() as u64;
        Ok(())
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The bytes of the pack that each object of a block takes.
fn shares(block: &BlockRecord) -> impl Iterator<Item = (ObjectId, u64)> + '_ {
    let stored = u128::from(BLOCK_BYTES) + u128::from(block.head.stored_len);
    let (count, raw) = (block.objects.len() as u128, u128::from(block.head.raw_len));
    let mut before = (0u128, 0u128);
    block.objects.iter().map(move |(id, len)| {
        let after = (before.0 + u128::from(*len), before.1 + 1);
        // Objects without bytes only: then each takes as much as the others.
        let to = |at: (u128, u128)| (stored * at.0).checked_div(raw).unwrap_or(stored * at.1 / count);
        let bytes = (to(after) - to(before)) as u64 + TABLES_BYTES;
        before = after;
        (*id, bytes)
    })
}

impl Usage {
    fn number(&mut self, id: &ObjectId) -> (u32, bool) {
        let next = small(self.bytes.len());
        let number = *self.numbers.entry(Short::of(id)).or_insert(next);
        if number == next {
            self.bytes.push(0);
            self.spans.push((0, 0));
        }
        (number, number == next)
    }

    /// How many objects trees need.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether they need none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes that an object takes.
    #[must_use]
    pub fn bytes(&self, part: Part) -> u64 {
        self.bytes[part.index()]
    }

    /// Names every object that these trees need, each once.
    pub fn walk(&self, roots: &[ObjectId], walk: &mut Walk, mut visit: impl FnMut(Part)) {
        walk.seen.resize(self.len(), 0);
        walk.number += 1;
        let mut stack: Vec<u32> = roots.iter().filter_map(|root| self.numbers.get(&Short::of(root)).copied()).collect();
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut walk.seen[at as usize], walk.number) == walk.number {
                continue;
            }
            visit(Part(at));
            let (start, count) = self.spans[at as usize];
            stack.extend(&self.references[start as usize..][..count as usize]);
        }
    }
}
