//! Removing entries.

use crate::catalog::CacheCondition;
use crate::ops::Context;
use crate::ops::coordination::CoordinationError;
use crate::ops::error::Result;

use super::check_key;

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The key, or what keys began with.
    pub key: String,
    /// How many entries.
    pub entries: u64,
    /// The version of the entry, if it was one that was named.
    pub version: Option<u64>,
}

/// Removes an entry.
///
/// # Errors
/// [`CoordinationError::NoEntry`] when it is not there, [`CoordinationError::Stale`] when it has another version than is asked
/// for; the session is not there.
pub fn delete(cx: &mut Context, session: Option<&str>, key: &str, condition: CacheCondition) -> Result<Removed> {
    check_key(key)?;
    let session = cx.resolve_session(session)?;
    cx.write(|tx| match tx.delete_cache(&session.id, key, condition)? {
        Ok(version) => Ok(Removed { key: key.to_owned(), entries: 1, version: Some(version) }),
        Err(0) => Err(CoordinationError::NoEntry { session: session.name.clone(), key: key.to_owned() }.into()),
        Err(present) => Err(CoordinationError::Stale { key: key.to_owned(), present }.into()),
    })
}

/// Removes all entries whose keys begin with a text; there may be none.
///
/// # Errors
/// The session is not there.
pub fn delete_prefix(cx: &mut Context, session: Option<&str>, prefix: &str) -> Result<Removed> {
    let session = cx.resolve_session(session)?;
    let entries = cx.write(|tx| Ok(tx.delete_cache_prefix(&session.id, prefix)?))?;
    Ok(Removed { key: prefix.to_owned(), entries, version: None })
}
