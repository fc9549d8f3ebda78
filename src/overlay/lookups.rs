//! How often the kernel looked inodes up: for nearly all of them that is once, which takes a bit in a set.

use rustc_hash::FxHashMap;

use crate::model::Ino;

use super::ino_set::InoSet;

/// Counts of look-ups by inode; 0 is not remembered.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    once: InoSet,
    more: FxHashMap<Ino, u64>,
}

impl Lookups {
    /// How many inodes were looked up.
    pub fn len(&self) -> usize {
        self.once.len() + self.more.len()
    }

    pub fn get(&self, ino: Ino) -> u64 {
        if self.once.contains(ino) { 1 } else { self.more.get(&ino).copied().unwrap_or(0) }
    }

    pub fn set(&mut self, ino: Ino, count: u64) {
        if count == 1 {
            self.more.remove(&ino);
            self.once.insert(ino);
            return;
        }
        self.once.remove(ino);
        match count {
            0 => self.more.remove(&ino),
            count => self.more.insert(ino, count),
        };
    }

    /// Forgets the inode; returns its count.
    pub fn take(&mut self, ino: Ino) -> u64 {
        if self.once.remove(ino) { 1 } else { self.more.remove(&ino).unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_up_and_down_and_an_inode_is_counted_once() {
        let mut lookups = Lookups::default();
        for count in [1, 2, 3, 2, 1, 0, 5, 1] {
            lookups.set(7, count);
            assert_eq!((lookups.get(7), lookups.len()), (count, usize::from(count > 0)));
        }
        lookups.set(8, 4);
        assert_eq!((lookups.take(7), lookups.take(8), lookups.take(9), lookups.len()), (1, 4, 0, 0));
    }
}
