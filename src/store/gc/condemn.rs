//! Taking packs away from those who look, giving them back, and deleting them.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{File, Open};
use crate::store::handle::{Inner, unless_index};
use crate::store::index::PackEntry;
use crate::store::pack::{DEAD_PREFIX, GONE_PREFIX, condemned_name, former_name};
use crate::store::{Store, StoreError};

/// Takes the lock of collections; `None` if another process has it.
pub(super) fn lock(inner: &Inner) -> Result<Option<File>, StoreError> {
    let file = inner.disk.open(&inner.dir.join("gc.lock"), Open::CreateOrWrite)?;
    Ok(file.try_lock()?.then_some(file))
}

/// As [`lock`], but shared by those who want that nothing is collected.
pub(super) fn lock_shared(inner: &Inner) -> Result<Option<File>, StoreError> {
    let file = inner.disk.open(&inner.dir.join("gc.lock"), Open::CreateOrWrite)?;
    Ok(file.try_lock_shared()?.then_some(file))
}

/// Ends what a killed collection left, for the holder of the lock: condemned packs are packs again, and what was being
/// deleted goes.
pub(super) fn recover(inner: &Inner, left: &[PathBuf]) -> Result<(), StoreError> {
    let names: Vec<&str> = left.iter().filter_map(|path| condemned_name(path)).collect();
    pardon(inner, &names)?;
    left.iter().filter(|path| condemned_name(path).is_none()).try_for_each(|path| remove(inner, path))
}

/// What a killed collection left.
pub(super) fn leftovers(inner: &Inner) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = inner.disk.list(&inner.packs)?;
    paths.retain(|path| former_name(path).is_some());
    Ok(paths)
}

/// Takes these packs' names away: nothing in them counts as stored any more, but all can still be read.
pub(super) fn condemn(inner: &Inner, names: &[&str]) -> Result<(), StoreError> {
    for name in names {
        inner.disk.rename(&inner.packs.join(name), &inner.packs.join(format!("{GONE_PREFIX}{name}")))?;
    }
    Ok(())
}

/// Gives condemned packs their names back.
pub(super) fn pardon(inner: &Inner, names: &[&str]) -> Result<(), StoreError> {
    for name in names {
        let path = inner.packs.join(name);
        inner.disk.rename(&inner.packs.join(format!("{GONE_PREFIX}{name}")), &path)?;
        if let Some((_, contents)) = inner.read_contents(&path)? {
            let stored_bytes = inner.disk.open(&path, Open::Read)?.len()?;
            let entry = [PackEntry { name, stored_bytes, contents: &contents }];
            unless_index(inner.heal_after(|inner| inner.index.add(&entry, false)))?;
        }
    }
    Ok(())
}

/// Deletes condemned packs; returns their bytes.
pub(super) fn delete(inner: &Inner, names: &[&str]) -> Result<u64, StoreError> {
    let dead = |name: &str| inner.packs.join(format!("{DEAD_PREFIX}{name}"));
    for name in names {
        inner.disk.rename(&inner.packs.join(format!("{GONE_PREFIX}{name}")), &dead(name))?;
    }
    // Before a file is cut: after a power cut it must not come back under a name that says it is whole.
    inner.disk.sync_dir(&inner.packs)?;
    let mut bytes = 0;
    for name in names {
        bytes += inner.disk.open(&dead(name), Open::Read)?.len()?;
        remove(inner, &dead(name))?;
    }
    inner.disk.sync_dir(&inner.packs)?;
    Ok(bytes)
}

/// Removes a file, and gives its bytes back at once: some mount may still have it open. Under another name it may be part of
/// a backup, and then these are not ours.
fn remove(inner: &Inner, path: &Path) -> Result<(), StoreError> {
    match inner.disk.open(path, Open::Write) {
        Ok(file) if file.has_other_names()? => {}
        Ok(file) => file.set_len(0)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    Ok(inner.disk.remove(path)?)
}

/// A lock under which nothing is collected, and which any number of processes can have.
#[derive(Debug)]
pub struct NoCollection {
    _lock: File,
}

/// The lock of collections, for whoever wants that neither these nor those who keep them away run.
#[derive(Debug)]
pub struct Alone {
    _lock: File,
}

impl Store {
    /// Keeps collections, checks and backups from running.
    ///
    /// # Errors
    /// [`StoreError::InCollection`] when one runs.
    pub fn alone(&self) -> Result<Alone, StoreError> {
        let lock = super::patiently(|| lock(&self.inner))?.ok_or(StoreError::InCollection)?;
        recover(&self.inner, &leftovers(&self.inner)?)?;
        Ok(Alone { _lock: lock })
    }

    /// Keeps collections from running.
    ///
    /// # Errors
    /// [`StoreError::InCollection`] when one runs.
    pub fn no_collection(&self) -> Result<NoCollection, StoreError> {
        let lock = super::patiently(|| lock_shared(&self.inner))?.ok_or(StoreError::InCollection)?;
        Ok(NoCollection { _lock: lock })
    }
}
