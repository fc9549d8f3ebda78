//! Setting an entry.

use crate::catalog::{CacheCondition, CacheEntry, CacheSet, NewCacheValue};
use crate::ops::Context;
use crate::ops::coordination::{CoordinationError, Payload};
use crate::ops::error::Result;

use super::{MAX_VALUE_BYTES, check_key};

/// What to set.
#[derive(Clone, Debug)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// The key.
    pub key: String,
    /// The value.
    pub value: Payload,
    /// What has to be so.
    pub condition: CacheCondition,
    /// For how long it is to be there, in nanoseconds; `None`: until somebody removes it.
    pub ttl_ns: Option<i64>,
}

/// An entry that was set.
#[derive(Clone, Debug)]
pub struct Set {
    /// The entry as it is now.
    pub entry: CacheEntry,
    /// The version before; 0: it was not there.
    pub was: u64,
}

/// Sets an entry. Of several that name the same version exactly one succeeds.
///
/// # Errors
/// [`CoordinationError::Stale`] when it has another version; the key or value is too long; the session is not there.
pub fn set(cx: &mut Context, request: Request) -> Result<Set> {
    check_key(&request.key)?;
    let session = cx.resolve_session(request.session.as_deref())?;
    let bytes = request.value.read("the value", MAX_VALUE_BYTES)?;
    let new = NewCacheValue {
        key: &request.key,
        bytes: &bytes,
        hash: *blake3::hash(&bytes).as_bytes(),
        expires_ns: request.ttl_ns.map(|ttl| cx.now_ns.saturating_add(ttl)),
        condition: request.condition,
    };
    cx.write(|tx| match tx.set_cache(&session.id, &new)? {
        CacheSet::Done { entry, was } => Ok(Set { entry, was }),
        CacheSet::Refused(present) => Err(CoordinationError::Stale { key: request.key.clone(), present }.into()),
    })
}
