//! What the store holds, in numbers.

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
