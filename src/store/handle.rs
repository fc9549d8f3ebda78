//! Opening a store, and keeping its index in step with its packs.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::disk::Disk;

use super::StoreError;
use super::ahead::Ahead;
use super::cache::Caches;
use super::index::{Index, PackEntry, is_broken};
use super::pack::{
    Contents, Decompress, GONE_PREFIX, Pack, SealedPack, condemned_name, finished_name, former_name, salvage,
};

/// How to open a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory for decoded nodes and decompressed blocks together, in bytes.
    pub cache_bytes: u64,
    /// The most threads that make blocks ready for readers who go through packs in order. They start when there are such
    /// readers.
    pub threads_ahead: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, threads_ahead: 0 }
    }
}

/// An open store. Clones share it, with its caches.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub disk: Arc<dyn Disk>,
    /// The directory of the store.
    pub dir: PathBuf,
    /// The directory of the packs.
    pub packs: PathBuf,
    pub index: Index,
    pub caches: Caches,
    pub ahead: Ahead,
    pub decompress: Decompress,
    /// The index was found to lack what a pack has, and made anew. Once is enough: it is a cache.
    pub distrusted: AtomicBool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("packs", &self.packs).field("caches", &self.caches).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in this directory, making it if it is not there. The time this takes depends on the number of
    /// packs that came since the last time, not on the number of objects.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or its index cannot be used. Damage in packs is no error here.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let packs = dir.join("packs");
        make_durable_dir(&*disk, &packs)?;
        let index = Index::open(&disk, &dir.join("index.db"))?;
        let inner = Inner {
            disk,
            dir: dir.to_owned(),
            packs,
            index,
            caches: Caches::new(options.cache_bytes),
            ahead: Ahead::new(options.threads_ahead, Caches::ahead_bytes(options.cache_bytes)),
            decompress: Decompress::default(),
            distrusted: AtomicBool::new(false),
        };
        unless_index(inner.heal_after(|inner| inner.follow_packs()))?;
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// Lets an index pass that could not take something in, as on a full disk: it will when it is asked the next time.
pub(super) fn unless_index(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::Index { .. }) => Ok(()),
        other => other,
    }
}

/// Makes a directory whose name is durable, with the one above it.
fn make_durable_dir(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.create_dir(dir)?;
            sync_above(disk, dir)
        }
        other => other.map(|_| ()),
    }
}

/// Makes the names that lead to the packs durable: the store's, and that of the data directory.
fn sync_above(disk: &dyn Disk, packs: &Path) -> io::Result<()> {
    packs.ancestors().skip(1).take(2).try_for_each(|above| disk.sync_dir(above))
}

impl Inner {
    /// Runs `action`; if the index turns out to be broken, replaces it and runs `action` again.
    pub fn heal_after<T>(&self, action: impl Fn(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut answer = action(self);
        for even_if_sound in [false, true] {
            match &answer {
                Err(error) if is_broken(error) => {
                    answer = self.reindex(even_if_sound).and_then(|()| action(self));
                }
                _ => break,
            }
        }
        answer
    }

    /// Makes the index anew from the packs. Numbers of packs mean others from then on; a reader that still has an old
    /// one finds other bytes than it looked for, and asks again.
    pub fn reindex(&self, even_if_sound: bool) -> Result<(), StoreError> {
        self.index.replace(even_if_sound)?;
        self.caches.locations.clear();
        self.caches.blocks.clear();
        self.ahead.clear();
        self.caches.packs.clear();
        self.follow_packs()
    }

    /// Finishes the packs that dead writers left, and ends what a killed collection left.
    pub fn tidy_up(&self) -> Result<(), StoreError> {
        self.recover()?;
        self.salvage()
    }

    /// Finishes the packs that dead writers left.
    pub fn salvage(&self) -> Result<(), StoreError> {
        if self.readable_paths()?.is_empty() {
            // Whoever made the directories may have died before their names were durable.
            sync_above(&*self.disk, &self.packs)?;
        }
        self.publish(&salvage(&self.disk, &self.packs)?)
    }

    /// The paths of all packs that can be read: also of those that a collection has condemned, last.
    pub fn readable_paths(&self) -> Result<Vec<PathBuf>, StoreError> {
        let is_readable = |path: &PathBuf| finished_name(path).is_some() || condemned_name(path).is_some();
        let mut paths: Vec<PathBuf> = self.disk.list(&self.packs)?.into_iter().filter(is_readable).collect();
        paths.sort_by_cached_key(|path| (condemned_name(path).is_some(), path.clone()));
        Ok(paths)
    }

    /// Opens a pack by its name, also if it has just been condemned.
    pub fn open_named(&self, name: &str) -> io::Result<Pack> {
        match Pack::open(&*self.disk, &self.packs.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Pack::open(&*self.disk, &self.packs.join(format!("{GONE_PREFIX}{name}")))
            }
            other => other,
        }
    }

    /// Brings the index in step with the packs that are there.
    pub fn follow_packs(&self) -> Result<(), StoreError> {
        // In this order: a pack that the index knows has its name already.
        let known = self.index.packs()?;
        let all = self.disk.list(&self.packs)?;
        let paths: Vec<&PathBuf> = all.iter().filter(|path| finished_name(path).is_some()).collect();
        // One that a collection is about to take away has not vanished: the collection tells the index.
        let present: HashSet<&str> =
            all.iter().filter_map(|path| finished_name(path).or_else(|| former_name(path))).collect();
        // An object of a pack that vanished may be in another, which the index did not note: so all is read anew.
        let anew = known.keys().any(|name| !present.contains(name.as_str()));
        let is_new = |path: &&&PathBuf| anew || finished_name(path).is_some_and(|name| !known.contains_key(name));
        let mut found = Vec::new();
        for path in paths.iter().filter(is_new) {
            // One that cannot be read now does not stand in the way of the others. It is tried again the next time.
            if let Ok(Some((pack, contents))) = self.read_contents(path) {
                found.push((pack.name.clone(), pack.len(), contents));
            }
        }
        if found.is_empty() && !anew {
            return Ok(());
        }
        let entries: Vec<_> = found
            .iter()
            .map(|(name, stored_bytes, contents)| PackEntry { name, stored_bytes: *stored_bytes, contents })
            .collect();
        self.index.add(&entries, anew)
    }

    /// A pack and what is in it. One that went away is `None`; one that cannot be read as a pack has nothing in it.
    pub fn read_contents(&self, path: &Path) -> Result<Option<(Pack, Contents)>, StoreError> {
        let pack = match Pack::open(&*self.disk, path) {
            Ok(pack) => pack,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match pack.contents() {
            Ok(contents) => Ok(Some((pack, contents))),
            Err(error) if error.is_damage() => Ok(Some((pack, Contents::default()))),
            Err(error) => Err(error),
        }
    }

    /// Makes packs durable, gives them their names, and takes them into the index.
    pub fn publish(&self, packs: &[SealedPack]) -> Result<(), StoreError> {
        if packs.is_empty() {
            return Ok(());
        }
        for pack in packs {
            pack.sync()?;
        }
        for pack in packs {
            pack.publish()?;
        }
        self.disk.sync_dir(&self.packs)?;
        let entries: Vec<_> = packs
            .iter()
            .map(|pack| PackEntry { name: &pack.name, stored_bytes: pack.len, contents: &pack.contents })
            .collect();
        unless_index(self.heal_after(|inner| inner.index.add(&entries, false)))
    }
}
