//! Opening a store, and keeping its index in step with its packs.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::disk::Disk;

use super::cache::Caches;
use super::index::{Index, PackEntry, is_broken};
use super::pack::{Contents, Decompress, Pack, SealedPack, finished_name, salvage};
use super::{StoreError, Writer};

/// How to open a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory for decoded nodes and decompressed blocks together, in bytes.
    pub cache_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20 }
    }
}

/// An open store. Clones share it, with its caches.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub disk: Arc<dyn Disk>,
    /// The directory of the packs.
    pub packs: PathBuf,
    pub index: Index,
    pub caches: Caches,
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
            packs,
            index,
            caches: Caches::new(options.cache_bytes),
            decompress: Decompress::default(),
            distrusted: AtomicBool::new(false),
        };
        unless_index(inner.heal_after(|inner| inner.follow_packs()))?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Starts writing objects. Packs that a dead writer left are finished first, so that what they hold is not stored
    /// again.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        let salvaged = salvage(&self.inner.disk, &self.inner.packs)?;
        self.inner.publish(&salvaged)?;
        Ok(Writer::new(self.inner.clone()))
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
            dir.ancestors().skip(1).take(2).try_for_each(|above| disk.sync_dir(above))
        }
        other => other.map(|_| ()),
    }
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
        self.caches.packs.clear();
        self.follow_packs()
    }

    /// The paths of all finished packs.
    pub fn pack_paths(&self) -> Result<Vec<PathBuf>, StoreError> {
        Ok(self.disk.list(&self.packs)?.into_iter().filter(|path| finished_name(path).is_some()).collect())
    }

    /// Brings the index in step with the packs that are there.
    pub fn follow_packs(&self) -> Result<(), StoreError> {
        // In this order: a pack that the index knows has its name already.
        let known = self.index.packs()?;
        let paths = self.pack_paths()?;
        let present: HashSet<&str> = paths.iter().filter_map(|path| finished_name(path)).collect();
        // An object of a pack that vanished may be in another, which the index did not note: so all is read anew.
        let anew = known.keys().any(|name| !present.contains(name.as_str()));
        let is_new = |path: &&PathBuf| anew || finished_name(path).is_some_and(|name| !known.contains_key(name));
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
