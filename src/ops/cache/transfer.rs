//! Entries as lines of JSON: one object each, all of one moment out, all or none in.

use std::io::{BufRead, Read};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use crate::catalog::{CacheCondition, CacheEntry, CacheFilter, NewCacheValue};
use crate::ops::coordination::CoordinationError;
use crate::ops::error::Result;
use crate::ops::{Context, Error};

use super::{MAX_VALUE_BYTES, check_glob, check_key};

/// The most bytes that values of one import may have together: they wait in memory until all are there.
const MAX_IMPORT_BYTES: usize = 1 << 30;

/// The longest line: a value of 16 MiB of which each byte is an escape of six characters, and then some.
const MAX_LINE_BYTES: usize = 6 * MAX_VALUE_BYTES + (1 << 20);

/// What was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// How many entries.
    pub entries: usize,
    /// The bytes of their values.
    pub size_bytes: usize,
}

/// A line, as far as an import needs it.
#[derive(Deserialize)]
struct Line {
    key: String,
    value: Option<String>,
    value_base64: Option<String>,
    expires: Option<String>,
    if_version: Option<u64>,
}

/// A line that can be set.
struct Ready {
    key: String,
    bytes: Vec<u8>,
    hash: [u8; 32],
    expires_ns: Option<i64>,
    condition: CacheCondition,
}

/// Hands over the entries of a session with their values, by key.
///
/// # Errors
/// The session is not there, or what `each` says.
pub fn export(
    cx: &mut Context,
    session: Option<&str>,
    filter: &CacheFilter,
    each: impl FnMut(&CacheEntry, &[u8]) -> Result<()>,
) -> Result<()> {
    check_glob(filter)?;
    let session = cx.resolve_session(session)?;
    let now = cx.now_ns;
    cx.catalog()?.view().cache_values(&session.id, filter, now, each)
}

/// Sets what the lines say: all of it, or nothing. An entry that is there gets the new value; a line with `if_version` asks for
/// that version (0: not there).
///
/// # Errors
/// [`CoordinationError::BadLine`], [`CoordinationError::Stale`]; the session is not there.
pub fn import(cx: &mut Context, session: Option<&str>, mut from: impl BufRead) -> Result<Imported> {
    let session = cx.resolve_session(session)?;
    let (mut ready, mut size) = (Vec::new(), 0);
    for number in 1.. {
        let bad = |why: String| Error::from(CoordinationError::BadLine { line: number, why });
        let mut text = Vec::new();
        let read = (&mut from).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut text);
        match read.map_err(|source| Error::Io { path: "the import".into(), source })? {
            0 => break,
            MAX_LINE_BYTES => return Err(bad("it is too long".into())),
            _ if text.trim_ascii().is_empty() => continue,
            _ => {}
        }
        let line = parse(&text).map_err(bad)?;
        check_key(&line.key).map_err(|error| bad(error.to_string()))?;
        size += line.bytes.len();
        if size > MAX_IMPORT_BYTES {
            return Err(CoordinationError::TooLarge { what: "the import", max_mib: MAX_IMPORT_BYTES >> 20 }.into());
        }
        ready.push(line);
    }
    let new: Vec<_> = ready.iter().map(Ready::value).collect();
    cx.write(|tx| match tx.import_cache(&session.id, &new)? {
        Ok(()) => Ok(()),
        Err((key, present)) => Err(CoordinationError::Stale { key, present }.into()),
    })?;
    Ok(Imported { entries: new.len(), size_bytes: size })
}

fn parse(text: &[u8]) -> std::result::Result<Ready, String> {
    let line: Line = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let bytes = match (line.value, line.value_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => BASE64_STANDARD.decode(text).map_err(|error| format!("`value_base64`: {error}"))?,
        _ => return Err("it has to have either `value` or `value_base64`".into()),
    };
    if bytes.len() > MAX_VALUE_BYTES {
        return Err(format!("its value has more than {} MiB", MAX_VALUE_BYTES >> 20));
    }
    let moment = |text: String| {
        let time = text.parse::<jiff::Timestamp>().map_err(|error| format!("`expires`: {error}"))?;
        i64::try_from(time.as_nanosecond()).map_err(|_| "`expires`: it is too far away".to_owned())
    };
    let expires_ns = line.expires.map(moment).transpose()?;
    let condition = line.if_version.map_or(CacheCondition::Any, CacheCondition::Version);
    Ok(Ready { key: line.key, hash: *blake3::hash(&bytes).as_bytes(), bytes, expires_ns, condition })
}

impl Ready {
    fn value(&self) -> NewCacheValue<'_> {
        NewCacheValue {
            key: &self.key,
            bytes: &self.bytes,
            hash: self.hash,
            expires_ns: self.expires_ns,
            condition: self.condition,
        }
    }
}
