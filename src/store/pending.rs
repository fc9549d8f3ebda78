//! The objects that one writer has taken, so that it takes none twice.

use std::collections::HashSet;

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::model::ObjectId;

/// Threads rarely meet in one of so many parts.
const SHARDS: usize = 16;

/// A set of objects, shared between threads.
#[derive(Debug, Default)]
pub(super) struct Pending {
    shards: [Mutex<HashSet<ObjectId, FxBuildHasher>>; SHARDS],
}

impl Pending {
    /// Adds the object; `false` if it was there.
    pub fn insert(&self, id: ObjectId) -> bool {
        self.shards[usize::from(id.0[31]) % SHARDS].lock().insert(id)
    }
}
