//! A set of inode numbers. New inodes have numbers one behind the other, so most of a set is bits and not numbers.

use rustc_hash::FxHashMap;

use crate::model::Ino;

/// Numbers that are in one word, as the power of two that they are.
const WORD_BITS: u32 = u64::BITS.ilog2();

/// The set.
#[derive(Clone, Debug, Default)]
pub(super) struct InoSet {
    /// Bits of numbers that are alike but for the lowest bits; no word is 0.
    words: FxHashMap<u64, u64>,
    len: usize,
}

fn place(ino: Ino) -> (u64, u64) {
    (ino >> WORD_BITS, 1 << (ino % u64::from(u64::BITS)))
}

impl InoSet {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn contains(&self, ino: Ino) -> bool {
        let (word, bit) = place(ino);
        self.words.get(&word).is_some_and(|bits| bits & bit != 0)
    }

    /// Says whether it was not there.
    pub fn insert(&mut self, ino: Ino) -> bool {
        let (word, bit) = place(ino);
        let bits = self.words.entry(word).or_default();
        let is_new = *bits & bit == 0;
        *bits |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// Says whether it was there.
    pub fn remove(&mut self, ino: Ino) -> bool {
        let (word, bit) = place(ino);
        let Some(bits) = self.words.get_mut(&word).filter(|bits| **bits & bit != 0) else { return false };
        *bits &= !bit;
        if *bits == 0 {
            self.words.remove(&word);
        }
        self.len -= 1;
        true
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Ino> + '_ {
        self.words.iter().flat_map(|(&word, &bits)| {
            (0..u64::BITS).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word << WORD_BITS | u64::from(bit))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_holds_what_a_plain_set_holds() {
        let (mut set, mut plain) = (InoSet::default(), BTreeSet::new());
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Some next to each other, some far away, and the last that there is.
            let ino = if random >> 63 == 0 { (random >> 40) % 500 } else { u64::MAX - (random >> 20) % 500 * 1001 };
            match random >> 33 & 1 {
                0 => assert_eq!(set.insert(ino), plain.insert(ino)),
                _ => assert_eq!(set.remove(ino), plain.remove(&ino)),
            }
            assert_eq!((set.contains(ino), set.len()), (plain.contains(&ino), plain.len()));
        }
        assert!(plain.len() > 100);
        assert_eq!(set.iter().collect::<BTreeSet<_>>(), plain);
        plain.iter().for_each(|&ino| assert!(set.remove(ino)));
        assert_eq!((set.len(), set.words.len()), (0, 0));
    }
}
