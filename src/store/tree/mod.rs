//! Directories in the store: how they are split into nodes, hashed by content, and read.
//!
//! Equal entries give equal nodes, whatever was stored before: a directory is split by its names alone (see `split`).
//! Reading needs no more than [`Lower`](crate::overlay::Lower), so it works on any frozen tree.

mod hash;
mod read;
mod split;
mod write;

pub use hash::content_hash;
pub use read::{Entries, EntryRef, Step, entries, find_path, lookup, root, walk};
pub use write::write_dir;
