//! Looking at the cache.

use crate::catalog::{CacheEntry, CacheFilter, CacheStats, Session};
use crate::ops::Context;
use crate::ops::coordination::CoordinationError;
use crate::ops::error::Result;

use super::{check_glob, check_key};

/// An entry of a session (without one: the current one), with its value.
///
/// # Errors
/// [`CoordinationError::NoEntry`]; the session is not there.
pub fn get(cx: &mut Context, session: Option<&str>, key: &str) -> Result<(CacheEntry, Vec<u8>)> {
    check_key(key)?;
    let session = cx.resolve_session(session)?;
    let now = cx.now_ns;
    let found = cx.catalog()?.view().cache_value(&session.id, key, now)?;
    Ok(found.ok_or_else(|| CoordinationError::NoEntry { session: session.name, key: key.to_owned() })?)
}

/// The entries of a session, by key, without their values.
///
/// # Errors
/// The session is not there.
pub fn list(cx: &mut Context, session: Option<&str>, filter: &CacheFilter) -> Result<Vec<CacheEntry>> {
    check_glob(filter)?;
    let session = cx.resolve_session(session)?;
    let now = cx.now_ns;
    Ok(cx.catalog()?.view().cache_entries(&session.id, filter, now)?)
}

/// How much a session's entries hold.
///
/// # Errors
/// The session is not there.
pub fn stats(cx: &mut Context, session: Option<&str>) -> Result<(Session, CacheStats)> {
    let session = cx.resolve_session(session)?;
    let now = cx.now_ns;
    let stats = cx.catalog()?.view().cache_stats(&session.id, now)?;
    Ok((session, stats))
}
