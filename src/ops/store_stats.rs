//! What the store holds, in numbers.

pub use crate::store::StoreStats;

use super::Context;
use super::error::Result;

/// Sums over all packs.
///
/// # Errors
/// The store cannot be read.
pub fn run(cx: &mut Context) -> Result<StoreStats> {
    Ok(cx.store()?.stats()?)
}
