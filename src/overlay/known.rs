//! What the kernel knows: look-up counts, and where frozen inodes stand, so that a number alone is enough to find one.
//!
//! An inode of the base costs one small table entry here and nothing else. Nothing in this table is durable: it is what
//! the kernel holds at this moment.

use rustc_hash::FxHashMap;

use crate::model::{Ino, NodeId, ROOT_INO};

use super::lookups::Lookups;

/// Where the kernel's inode is found when the delta does not have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Location {
    /// The directory it was looked up in.
    pub parent: Ino,
    /// The frozen leaf with its entry.
    pub leaf: NodeId,
    /// The entry's position in the leaf.
    pub index: u32,
}

#[derive(Debug)]
struct Known {
    parent: Ino,
    lookups: u64,
    leaf: u32,
    index: u32,
}

/// Whether the kernel still holds an inode that it has taken look-ups back of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Look-ups are left.
    Held,
    /// None is.
    Gone,
    /// Look-ups were counted by the process before, so only the kernel knows.
    Unknown,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct KnownTable {
    /// Inodes below this number may have been looked up in a process before this one.
    inherited_below: Ino,
    /// Those that have a place in the base.
    frozen: FxHashMap<Ino, Known>,
    /// How often the others were looked up.
    made: Lookups,
    leaves: Vec<NodeId>,
    leaf_numbers: FxHashMap<NodeId, u32>,
}

impl KnownTable {
    /// The table of a process that takes over a connection, on which all inodes below this number may be known.
    pub fn inherited(below: Ino) -> Self {
        Self { inherited_below: below, ..Self::default() }
    }

    /// Counts a look-up of an inode; `location` is where the base has it, if it does.
    pub fn count(&mut self, ino: Ino, location: Option<Location>) {
        if let Some(location) = location {
            self.hint(ino, location);
        }
        match self.frozen.get_mut(&ino) {
            Some(known) => known.lookups += 1,
            None => self.made.set(ino, self.made.get(ino) + 1),
        }
    }

    /// Remembers where an inode stands, without counting a look-up.
    pub fn hint(&mut self, ino: Ino, location: Location) {
        let Location { parent, leaf, index } = location;
        let leaf = self.leaf_number(leaf);
        // It was not known before that the base has it.
        let lookups = self.made.take(ino);
        let known = self.frozen.entry(ino).or_insert(Known { parent, lookups: 0, leaf, index });
        (known.parent, known.leaf, known.index) = (parent, leaf, index);
        known.lookups += lookups;
    }

    /// Where the base has the inode.
    pub fn location(&self, ino: Ino) -> Option<Location> {
        let known = self.frozen.get(&ino)?;
        let leaf = *self.leaves.get(known.leaf as usize)?;
        Some(Location { parent: known.parent, leaf, index: known.index })
    }

    /// Takes look-ups back.
    pub fn forget(&mut self, ino: Ino, count: u64) -> Hold {
        let none_left = if ino < self.inherited_below { Hold::Unknown } else { Hold::Gone };
        if let Some(known) = self.frozen.get_mut(&ino) {
            known.lookups = known.lookups.saturating_sub(count);
            if known.lookups > 0 {
                return Hold::Held;
            }
            self.frozen.remove(&ino);
            return none_left;
        }
        let left = self.made.get(ino).saturating_sub(count);
        self.made.set(ino, left);
        if left > 0 { Hold::Held } else { none_left }
    }

    /// The kernel said that it does not hold the inode.
    pub fn released(&mut self, ino: Ino) {
        if self.made.take(ino) == 0 {
            self.frozen.remove(&ino);
        }
    }

    /// Whether the kernel holds the inode, as far as that is known. It always holds the root, which it never looks up.
    pub fn holds(&self, ino: Ino) -> bool {
        ino == ROOT_INO
            || ino < self.inherited_below
            || self.frozen.get(&ino).is_some_and(|known| known.lookups > 0)
            || self.made.get(ino) > 0
    }

    /// Whether anything is remembered of the inode.
    pub fn knows(&self, ino: Ino) -> bool {
        self.made.get(ino) > 0 || self.frozen.contains_key(&ino)
    }

    /// How many inodes the kernel holds.
    pub fn len(&self) -> usize {
        self.made.len() + self.frozen.len()
    }

    fn leaf_number(&mut self, leaf: NodeId) -> u32 {
        *self.leaf_numbers.entry(leaf).or_insert_with(|| {
            self.leaves.push(leaf);
            u32::try_from(self.leaves.len() - 1).unwrap_or(u32::MAX)
        })
    }
}
