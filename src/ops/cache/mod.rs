//! The cache of a session: bytes under keys, for whoever works in it.
//!
//! Values live in the catalog and not in the content store: setting one is one transaction with one sync, where a pack and
//! an index would be two more, and taking one away gives its pages back at once, where a collection would have to come by.

mod get;
mod remove;
mod set;
mod transfer;

pub use crate::catalog::{CacheCondition, CacheEntry, CacheFilter, CacheStats};
pub use get::{get, list, stats};
pub use remove::{Removed, delete, delete_prefix};
pub use set::{Request, Set, set};
pub use transfer::{Imported, export, import};

use super::coordination::check_text;
use super::error::Result;

/// The longest key in bytes.
pub const MAX_KEY_BYTES: usize = 1000;

/// The longest value in bytes.
pub const MAX_VALUE_BYTES: usize = 16 << 20;

fn check_key(key: &str) -> Result<()> {
    check_text("the key", key, MAX_KEY_BYTES)
}

/// Refuses a pattern that is longer than what it is to match.
fn check_glob(filter: &CacheFilter) -> Result<()> {
    filter.glob.as_ref().map_or(Ok(()), |glob| check_text("the pattern", glob, MAX_KEY_BYTES))
}
