//! Which inodes changed, and of which the data did.

use crate::model::Ino;

use super::ino_set::InoSet;

/// Numbers of inodes, each in one of two sets.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    /// Only attributes or names changed.
    told: InoSet,
    /// The data changed.
    written: InoSet,
}

impl Touched {
    /// The inode changed, and perhaps its data.
    pub fn note(&mut self, ino: Ino, data: bool) {
        if data {
            self.told.remove(ino);
            self.written.insert(ino);
        } else if !self.written.contains(ino) {
            self.told.insert(ino);
        }
    }

    pub fn remove(&mut self, ino: Ino) {
        if !self.told.remove(ino) {
            self.written.remove(ino);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        self.told.len() + self.written.len()
    }

    /// All of them, and whether the data changed.
    pub fn iter(&self) -> impl Iterator<Item = (Ino, bool)> {
        self.told.iter().map(|ino| (ino, false)).chain(self.written().map(|ino| (ino, true)))
    }

    /// Those whose data changed.
    pub fn written(&self) -> impl Iterator<Item = Ino> {
        self.written.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_changed_once_counts_until_the_inode_is_removed() {
        let mut touched = Touched::default();
        for (ino, data) in [(1, false), (2, true), (3, false), (3, true), (2, false)] {
            touched.note(ino, data);
        }
        let sorted = |touched: &Touched| {
            let mut all: Vec<_> = touched.iter().collect();
            all.sort_unstable();
            all
        };
        assert_eq!(sorted(&touched), [(1, false), (2, true), (3, true)]);
        assert_eq!((touched.len(), touched.written().count()), (3, 2));
        [1, 3, 9].into_iter().for_each(|ino| touched.remove(ino));
        assert_eq!(sorted(&touched), [(2, true)]);
        touched.remove(2);
        assert!(touched.is_empty());
    }
}
