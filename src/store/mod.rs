//! The content-addressed store: chunks of file content and tree nodes, packed into immutable files.
//!
//! An object is named by the BLAKE3 hash of its kind and bytes ([`ObjectId::of`]), so equal content is stored once. Bytes
//! that come from the disk are checked against that name before anyone sees them. The module knows nothing of sources,
//! sessions or the catalog, deletes nothing but what a collection was told is referred to by nobody, and reads no clock
//! and no environment.
//!
//! ```text
//! objects/packs/<64 hex digits>.pack   objects, immutable; see `pack` for the format
//! objects/packs/tmp-<random>.pack      being written, under its lock; without one it was abandoned, and is salvaged
//! objects/index.db                     object -> pack and place; a cache that is rebuilt from the packs
//! objects/index.lock                   held while a broken index is replaced
//! objects/packs/gone-<…>.pack          condemned by a collection: can be read, but does not count as stored
//! objects/packs/dead-<…>.pack          being deleted
//! objects/damaged/<…>.pack             put aside by a repair; nobody looks there
//! objects/gc.lock                      held by a collection
//! objects/generation, objects/holds/   who stores what no row refers to yet; see `hold`
//! ```
//!
//! Invariants:
//! - A pack under its final name is complete, durable and never changed.
//! - An object that [`Writer::finish`] has returned for is durable; callers refer to it only then.
//! - The packs are the truth. No answer depends on the index being right, only its speed does.
//! - No lock is held while the disk is read.

mod ahead;
mod cache;
pub mod content;
mod error;
pub mod gc;
mod handle;
mod hold;
mod index;
mod lower;
mod pack;
mod pending;
mod read;
pub mod refs;
mod rescue;
mod roots;
mod stats;
pub mod tree;
pub mod usage;
pub mod verify;
mod writer;

#[cfg(doc)]
use crate::model::ObjectId;

pub use error::StoreError;
pub use handle::{Store, StoreOptions};
pub use hold::{Generation, Hold};
pub use pack::MAX_OBJECT_BYTES;
pub use read::Chunk;
pub use rescue::Rescued;
pub use roots::FoundRoot;
pub use stats::StoreStats;
pub use writer::{Writer, Written};
