//! What the store holds, in numbers.

use std::path::PathBuf;

use super::pack::{condemned_name, finished_name};
use super::{Store, StoreError};

/// Sums over all packs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Packs.
    pub packs: u64,
    /// Objects; one that is in two packs counts twice.
    pub objects: u64,
    /// Bytes of the objects before compression.
    pub raw_bytes: u64,
    /// Bytes of the packs' files.
    pub stored_bytes: u64,
}

impl Store {
    /// The files of all packs that can be read, each with the name that it has, or had before a collection that was
    /// killed condemned it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn pack_files(&self) -> Result<Vec<(PathBuf, String)>, StoreError> {
        let paths = self.inner.readable_paths()?.into_iter();
        Ok(paths
            .filter_map(|path| {
                let name = finished_name(&path).or_else(|| condemned_name(&path))?.to_owned();
                Some((path, name))
            })
            .collect())
    }

    /// Sums over all packs, from the index.
    ///
    /// # Errors
    /// [`StoreError`] when the index cannot be read.
    pub fn stats(&self) -> Result<StoreStats, StoreError> {
        let totals = self.inner.heal_after(|inner| {
            inner.follow_packs()?;
            inner.index.totals()
        })?;
        Ok(StoreStats {
            packs: totals.packs,
            objects: totals.objects,
            raw_bytes: totals.raw_bytes,
            stored_bytes: totals.stored_bytes,
        })
    }
}
