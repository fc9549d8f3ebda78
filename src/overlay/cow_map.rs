//! A map that is copied by copying a pointer for some hundred entries at a time, and takes little more memory than what is
//! in it.
//!
//! Entries lie in shards, each shared until one of its owners changes it. So a copy for a snapshot is taken in
//! microseconds however many entries there are, and the first change of a shard afterwards copies that shard only. The
//! number of shards grows one by one (linear hashing, Litwin, VLDB 1980), so that no insertion has to move everything.
//! A shard is a sorted list: to search and to move a hundred entries costs less than the table of a hash map leaves empty.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

/// Entries of a shard on average, before one more shard is begun. A shard has half of it when it was just split and twice
/// as many before it is.
const SHARD_ENTRIES: usize = 96;

/// A full list grows by one part in so many, and by so many entries.
const GROWTH_PART: usize = 8;
const GROWTH_ENTRIES: usize = 2;

/// The map.
#[derive(Clone, Debug)]
pub(super) struct CowMap<K, V> {
    shards: Vec<Arc<Shard<K, V>>>,
    len: usize,
}

/// Entries in the order of their keys.
#[derive(Clone, Debug)]
struct Shard<K, V>(Vec<(K, V)>);

impl<K, V> Default for Shard<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Shard<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(own, _)| own.borrow().cmp(key))
    }

    fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(self.0.len() / GROWTH_PART + GROWTH_ENTRIES);
                }
                self.0.insert(at, (key, value));
                None
            }
        }
    }
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> Self {
        Self { shards: Vec::new(), len: 0 }
    }
}

/// What decides in which shard a key is.
pub(super) fn spread<Q: Hash + ?Sized>(key: &Q) -> u32 {
    // Numbers that differ by the same step are spread, too.
    (FxBuildHasher.hash_one(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The shard of a key: by more bits of its hash, the more shards there are.
fn place<Q: Hash + ?Sized>(key: &Q, shards: usize) -> usize {
    place_of(spread(key), shards)
}

fn place_of(spread: u32, shards: usize) -> usize {
    let bits = spread as usize;
    let wide = shards.next_power_of_two();
    let at = bits & (wide - 1);
    if at < shards { at } else { bits & (wide / 2 - 1) }
}

impl<K: Hash + Ord + Clone, V: Clone> CowMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get<Q: Hash + Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self.shards.len() {
            0 => None,
            count => {
                let shard = &self.shards[place(key, count)];
                shard.find(key).ok().map(|at| &shard.0[at].1)
            }
        }
    }

    /// The entry of a key of which only the [`spread`] is known, and how its value is told from others.
    pub fn find(&self, spread: u32, is_it: impl Fn(&V) -> bool) -> Option<(&K, &V)> {
        let shard = self.shards.get(place_of(spread, self.shards.len().max(1)))?;
        shard.0.iter().find(|(_, value)| is_it(value)).map(|(key, value)| (key, value))
    }

    pub fn contains_key<Q: Hash + Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub fn get_mut<Q: Hash + Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (shard, at) = self.shard_with(key)?;
        Some(&mut shard.0[at].1)
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.shards.is_empty() {
            self.shards.push(Arc::default());
        }
        let at = place(&key, self.shards.len());
        let before = Arc::make_mut(&mut self.shards[at]).insert(key, value);
        if before.is_none() {
            self.len += 1;
            if self.len > self.shards.len() * SHARD_ENTRIES {
                self.split();
            }
        }
        before
    }

    pub fn remove<Q: Hash + Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (shard, at) = self.shard_with(key)?;
        let (_, removed) = shard.0.remove(at);
        if shard.0.capacity() > 2 * shard.0.len() + GROWTH_ENTRIES {
            shard.0.shrink_to_fit();
        }
        self.len -= 1;
        if self.len == 0 {
            self.shards = Vec::new();
        }
        Some(removed)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.0.iter()).map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.shards.iter_mut().flat_map(|shard| Arc::make_mut(shard).0.iter_mut()).map(|(_, value)| value)
    }

    /// The shard that has the key, as one's own, and the place of the key in it. A shared one is not copied for a key that it
    /// does not have.
    fn shard_with<Q: Hash + Ord + ?Sized>(&mut self, key: &Q) -> Option<(&mut Shard<K, V>, usize)>
    where
        K: Borrow<Q>,
    {
        if self.shards.is_empty() {
            return None;
        }
        let at = place(key, self.shards.len());
        let shard = &mut self.shards[at];
        let found = shard.find(key).ok()?;
        Some((Arc::make_mut(shard), found))
    }

    /// Begins one more shard with the entries of another that now belong to it.
    fn split(&mut self) {
        let count = self.shards.len() + 1;
        let from = (count - 1) & (count.next_power_of_two() / 2 - 1);
        let old = Arc::make_mut(&mut self.shards[from]);
        let mut new: Vec<(K, V)> = old.0.extract_if(.., |(key, _)| place(key, count) != from).collect();
        old.0.shrink_to_fit();
        new.shrink_to_fit();
        self.shards.push(Arc::new(Shard(new)));
    }
}

impl<K: Hash + Ord + Clone, V: Clone> FromIterator<(K, V)> for CowMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        entries.into_iter().for_each(|(key, value)| {
            map.insert(key, value);
        });
        map
    }
}

impl<K: Hash + Ord + Clone, V: Clone> std::ops::Index<&K> for CowMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the caller knows that it is there")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_holds_what_a_plain_map_holds_and_a_copy_keeps_what_was() {
        let (mut map, mut plain) = (CowMap::default(), HashMap::new());
        let mut copies = Vec::new();
        let mut random = 1_u64;
        for step in 0..40_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = (random >> 33) % 9000;
            match random % 3 {
                0 => assert_eq!(map.remove(&key), plain.remove(&key)),
                _ => assert_eq!(map.insert(key, step), plain.insert(key, step)),
            }
            if let (Some(here), Some(there)) = (map.get_mut(&(key / 2)), plain.get_mut(&(key / 2))) {
                (*here, *there) = (step + 1, step + 1);
            }
            if step % 5000 == 0 {
                copies.push((map.clone(), plain.clone()));
            }
        }
        copies.push((map, plain));
        for (map, plain) in copies {
            assert_eq!((map.len(), map.is_empty()), (plain.len(), plain.is_empty()));
            let found: HashMap<_, _> = map.iter().map(|(key, value)| (*key, *value)).collect();
            assert_eq!(found, plain);
            assert!(plain.iter().all(|(key, value)| map.get(key) == Some(value) && map[key] == *value));
            // Values are told apart here by the key that they came with last.
            assert!(plain.iter().all(|(key, value)| map.find(spread(key), |own| own == value).is_some()));
            assert!(map.find(spread(&7), |_| false).is_none());
        }
    }

    #[test]
    fn shards_stay_small_whatever_the_step_between_keys() {
        for step in [1_u64, 2, 4096, 1 << 32] {
            let map: CowMap<u64, ()> = (0..50_000).map(|at| (at * step, ())).collect();
            let largest = map.shards.iter().map(|shard| shard.0.len()).max();
            assert!(largest < Some(4 * SHARD_ENTRIES), "{step}: {largest:?}");
        }
    }
}
