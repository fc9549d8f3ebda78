//! What is alive: a set of objects that are reached from the roots.
//!
//! Of each id 16 bytes are kept: two ids that agree in these are as good as never met by accident, and a million objects
//! take about 42 MiB.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::model::{NodeId, ObjectId};
use crate::store::refs::{Ref, references};
use crate::store::{Store, StoreError};

use super::Watch;

/// The first half of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Short([u8; 16]);

impl Short {
    pub fn of(id: &ObjectId) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&id.0[..16]);
        Self(short)
    }
}

impl Hash for Short {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut word = [0; 8];
        word.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_le_bytes(word));
    }
}

/// An id is a hash: its own first bytes will do.
#[derive(Debug, Default)]
pub(in crate::store) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// A map from ids.
pub(in crate::store) type ByShort<V> = HashMap<Short, V, BuildHasherDefault<Taken>>;

/// The objects that are alive, each with the pack that is to keep it.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The pack's place in the plan, and 1; 0 for none.
    owners: ByShort<u32>,
}

impl Marks {
    /// Marks all that is reached from a tree, or from a part of one. What was marked before is not gone into again.
    pub fn walk(&mut self, store: &Store, from: ObjectId, watch: &dyn Watch) -> Result<(), StoreError> {
        let mut stack = vec![NodeId(from)];
        while let Some(id) = stack.pop() {
            if !self.insert(&id.0) {
                continue;
            }
            if watch.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            let node = store.node(id)?;
            references(&node, |found| match found {
                Ref::Node(id) if self.has(&id.0) => {}
                Ref::Node(id) => stack.push(id),
                Ref::Chunk(id) => drop(self.insert(&id.0)),
            });
            watch.marked(self.len());
        }
        Ok(())
    }

    /// Marks one object; `false` if it was.
    pub fn insert(&mut self, id: &ObjectId) -> bool {
        let before = self.owners.len();
        self.owners.entry(Short::of(id)).or_insert(0);
        self.owners.len() > before
    }

    pub fn has(&self, id: &ObjectId) -> bool {
        self.owners.contains_key(&Short::of(id))
    }

    /// The pack that is to keep the object, if one was found; `None` for a dead object.
    pub fn owner(&self, id: &ObjectId) -> Option<Option<usize>> {
        self.owners.get(&Short::of(id)).map(|owner| (*owner as usize).checked_sub(1))
    }

    /// Lets this pack keep the object, if it is alive and no other does.
    pub fn claim(&mut self, id: &ObjectId, pack: usize) {
        if let Some(owner) = self.owners.get_mut(&Short::of(id))
            && *owner == 0
        {
            *owner = u32::try_from(pack + 1).unwrap_or(u32::MAX);
        }
    }

    pub fn len(&self) -> u64 {
        self.owners.len() as u64
    }
}
