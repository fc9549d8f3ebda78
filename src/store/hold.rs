//! Holds: how whoever stores objects keeps a collection from taking them away.
//!
//! Between the look-up that says "this object is stored already" and the catalog row that refers to it, nothing but the
//! hold keeps the object. A collection makes what is dead impossible to find, begins a new *generation*, waits until no
//! hold of an older one is left, looks for references again, and only then deletes. So:
//!
//! - A hold is taken before the first look-up or put of what a row will name, also before a row is read whose tree is to
//!   be built upon, and is kept until the row is durable.
//! - What was found to be stored under one hold is known under another only if the generation is the same.
//!
//! ```text
//! objects/generation       random bytes, new with each collection; none before the first
//! objects/holds/<hash>     locked shared by each holder of the generation whose bytes have this hash
//! ```

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::{Disk, File, Open};

use super::{Store, StoreError, Writer};

/// Which collection came last. It never comes back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation([u8; 16]);

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl Generation {
    /// In lower-case hexadecimal, 32 digits: for memos that are kept in files.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn of(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(short)
    }
}

/// Keeps every object that can be found from being deleted. It ends when the last clone, and the last writer made from
/// it, is dropped.
#[derive(Clone, Debug)]
pub struct Hold {
    store: Store,
    generation: Generation,
    _lock: File,
}

impl Store {
    /// The present generation.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn generation(&self) -> Result<Generation, StoreError> {
        Ok(read(&*self.inner.disk, &self.inner.dir)?)
    }

    /// Keeps every object that can be found now from being deleted until the hold is dropped.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        let disk = &*self.inner.disk;
        loop {
            let generation = self.generation()?;
            let path = holds_dir(&self.inner.dir).join(generation.to_hex());
            let lock = match disk.open(&path, Open::CreateOrWrite) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    disk.create_dir(&holds_dir(&self.inner.dir))?;
                    continue;
                }
                other => other?,
            };
            // A collection that began in between waits for holders of the older generation only: not for this one.
            if lock.try_lock_shared()? && self.generation()? == generation {
                return Ok(Hold { store: self.clone(), generation, _lock: lock });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Hold {
    /// The store that is held.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The generation in which it was taken: memos of another one tell nothing.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Starts writing objects. Packs that a dead writer left are finished first, so that what they hold is not stored
    /// again.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        self.store.inner.tidy_up()?;
        Ok(Writer::new(self.store.inner.clone(), Some(self.clone())))
    }
}

pub(super) fn holds_dir(dir: &Path) -> PathBuf {
    dir.join("holds")
}

fn generation_file(dir: &Path) -> PathBuf {
    dir.join("generation")
}

/// Begins a new generation, durably.
pub(super) fn renew(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(StoreError::Random)?;
    let (path, beside) = (generation_file(dir), dir.join("generation.new"));
    let file = disk.open(&beside, Open::CreateOrWrite)?;
    file.write_at(0, &[&random])?;
    file.set_len(random.len() as u64)?;
    file.sync_data()?;
    disk.rename(&beside, &path)?;
    Ok(disk.sync_dir(dir)?)
}

/// The lock files of older generations than the present one.
pub(super) fn older(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let present = read(disk, dir)?.to_hex();
    match disk.list(&holds_dir(dir)) {
        Ok(paths) => {
            Ok(paths.into_iter().filter(|path| path.file_name().is_none_or(|name| *name != *present)).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The generation of the store in this directory.
fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Generation> {
    let mut bytes = [0; 64];
    let count = match disk.open(&generation_file(dir), Open::Read) {
        Ok(file) => file.read_at(0, &mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(Generation::of(&bytes[..count]))
}
