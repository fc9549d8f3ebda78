//! Locks: leases on paths of a source, for those who work in its sessions.
//!
//! A lock stops nobody from writing in a session of their own. It stops merge, promote and apply, which is where what was
//! done meets what others did: they call [`check`] with the paths that they are about to change.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use crate::catalog::{Lock, NewLock, Session, Source, View};
use crate::model::{BytePath, ChangeKind, PathPattern, RootId};

use super::changes::{Change, Scope, changes};
use super::checkpoint_restore::tree_paths;
use super::coordination::{CoordinationError, check_text};
use super::error::Result;
use super::live::LiveError;
use super::states::StateView;
use super::wake::Wakes;
use super::{Context, Error};

/// The longest pattern in bytes.
const MAX_PATTERN_BYTES: usize = 4096;

/// The longest message or reason in bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The longest lease: 30 days, in nanoseconds.
const MAX_TTL_NS: i64 = 30 * 24 * 3600 * 1_000_000_000;

/// A lock, and the names of what it belongs to.
#[derive(Clone, Debug)]
pub struct LockInfo {
    /// The lock.
    pub lock: Lock,
    /// The name of its source.
    pub source: String,
    /// The name of the session that it was acquired in, if that is known.
    pub session: Option<String>,
}

/// What to lock.
#[derive(Clone, Debug)]
pub struct Request {
    /// The session whose source it is; the current one if not given.
    pub session: Option<String>,
    /// A path or a pattern.
    pub pattern: OsString,
    /// Whether wildcards in it are none.
    pub is_literal: bool,
    /// For how long, in nanoseconds.
    pub ttl_ns: i64,
    /// What for.
    pub message: String,
}

/// Takes a lease, if no other one, also of one's own, covers a path that it would cover.
///
/// # Errors
/// [`CoordinationError::Locked`], [`CoordinationError::NoSource`]; the pattern leads out of the tree or is too long.
pub fn acquire(cx: &mut Context, request: &Request) -> Result<LockInfo> {
    check_ttl(request.ttl_ns)?;
    if !request.message.is_empty() {
        check_text("the message", &request.message, MAX_MESSAGE_BYTES)?;
    }
    let (session, source) = shared(cx, request.session.as_deref())?;
    let pattern = pattern_of(cx, &session, &request.pattern)?;
    let wanted = compiled(pattern.as_bytes(), request.is_literal);
    let now = cx.now_ns;
    let lock = cx.write(|tx| {
        let held = tx.view().locks(Some(&source.id), now)?;
        if let Some(held) = held.iter().find(|held| compiled(&held.pattern, held.is_literal).overlaps(&wanted)) {
            return Err(refusal(held, pattern.as_bytes()));
        }
        Ok(tx.create_lock(&NewLock {
            source: &source.id,
            pattern: pattern.as_bytes(),
            is_literal: request.is_literal,
            session: &session.id,
            message: &request.message,
            expires_ns: now.saturating_add(request.ttl_ns),
        })?)
    })?;
    Ok(LockInfo { lock, source: source.name, session: Some(session.name) })
}

/// As [`acquire`], but waits for those who hold what is in the way, for as long as `limit` if that is given. Sleeps until the
/// catalog changes, or a lease runs out.
///
/// # Errors
/// [`CoordinationError::StillLocked`], or as [`acquire`].
pub fn acquire_within(cx: &mut Context, request: &Request, limit: Option<Duration>) -> Result<LockInfo> {
    let data_dir = cx.paths.data.clone();
    let (_, source) = shared(cx, request.session.as_deref())?;
    // Watched before the first look, so that nothing falls between the two.
    let mut wakes = Wakes::watch(&data_dir)?;
    let (began, begun_ns) = (Instant::now(), cx.now_ns);
    loop {
        let locked = match acquire(cx, request) {
            Err(Error::Coordination(locked @ CoordinationError::Locked { .. })) => locked,
            other => return other,
        };
        let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
        if left == Some(Duration::ZERO) {
            return Err(CoordinationError::StillLocked(Box::new(locked)).into());
        }
        let now = cx.now_ns;
        let held = cx.catalog()?.view().locks(Some(&source.id), now)?;
        let soonest = held.iter().map(|lock| lock.expires_ns).min();
        let until_expiry = soonest.map(|expires| expires.saturating_sub(now).max(0).unsigned_abs());
        wakes.wait(left.into_iter().chain(until_expiry.map(Duration::from_nanos)).min());
        let passed = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        cx.now_ns = begun_ns.saturating_add(passed);
    }
}

/// Moves the end of a lease to `ttl_ns` from now.
///
/// # Errors
/// [`CoordinationError::LockLost`].
pub fn renew(cx: &mut Context, token: &str, ttl_ns: i64) -> Result<LockInfo> {
    check_ttl(ttl_ns)?;
    let now = cx.now_ns;
    let lock = cx.write(|tx| {
        let mut lock = tx.view().lock(token, now)?.ok_or_else(|| lost(token))?;
        let expires_ns = now.saturating_add(ttl_ns);
        tx.renew_lock(&lock, expires_ns)?;
        lock.expires_ns = expires_ns;
        Ok(lock)
    })?;
    named(cx.catalog()?.view(), lock)
}

/// Ends a lease.
///
/// # Errors
/// [`CoordinationError::LockLost`].
pub fn release(cx: &mut Context, token: &str) -> Result<LockInfo> {
    let now = cx.now_ns;
    let lock = cx.write(|tx| {
        let lock = tx.view().lock(token, now)?.ok_or_else(|| lost(token))?;
        tx.end_lock(&lock, None)?;
        Ok(lock)
    })?;
    named(cx.catalog()?.view(), lock)
}

/// Ends a lease of whoever holds it, by its token or as what it was taken.
///
/// # Errors
/// [`CoordinationError::NotLocked`], or no reason is given.
pub fn break_one(cx: &mut Context, session: Option<&str>, which: &OsString, reason: &str) -> Result<LockInfo> {
    check_text("the reason", reason, MAX_MESSAGE_BYTES)?;
    let now = cx.now_ns;
    let by_token = which.to_str().map(|token| cx.catalog()?.view().lock(token, now).map_err(Error::from));
    let found = match by_token.transpose()?.flatten() {
        Some(lock) => lock,
        None => {
            let (session, source) = shared(cx, session)?;
            let pattern = pattern_of(cx, &session, which)?;
            let mut held = cx.catalog()?.view().locks(Some(&source.id), now)?.into_iter();
            let missing = || CoordinationError::NotLocked { pattern: which.to_string_lossy().into_owned() };
            held.find(|lock| lock.pattern == pattern.as_bytes()).ok_or_else(missing)?
        }
    };
    let lock = cx.write(|tx| {
        let missing = || CoordinationError::NotLocked { pattern: which.to_string_lossy().into_owned() };
        let lock = tx.view().lock(&found.token, now)?.ok_or_else(missing)?;
        tx.end_lock(&lock, Some(reason))?;
        Ok(lock)
    })?;
    named(cx.catalog()?.view(), lock)
}

/// The locks of a source, or of all.
///
/// # Errors
/// The source is not there.
pub fn list(cx: &mut Context, source: Option<&str>) -> Result<Vec<LockInfo>> {
    let now = cx.now_ns;
    let view = cx.catalog()?.view();
    let source = source.map(|key| view.source(key)).transpose()?;
    let locks = view.locks(source.as_ref().map(|source| source.id.as_str()), now)?;
    locks.into_iter().map(|lock| named(view, lock)).collect()
}

/// Refuses when somebody other than `actor` holds one of these paths, or one above or below it. Call it in the transaction that
/// makes the change (`tx.view()`), and before anything is done that could be spared.
///
/// # Errors
/// [`CoordinationError::Locked`], with the first such path, or what the catalog says.
pub fn check<'p>(
    view: View<'_>,
    source_id: Option<&str>,
    actor: &str,
    now_ns: i64,
    paths: impl IntoIterator<Item = &'p BytePath>,
) -> Result<()> {
    let Some(source_id) = source_id else { return Ok(()) };
    let mut held = view.locks(Some(source_id), now_ns)?;
    held.retain(|lock| lock.actor != actor);
    if held.is_empty() {
        return Ok(());
    }
    let held: Vec<_> = held.iter().map(|lock| (compiled(&lock.pattern, lock.is_literal), lock)).collect();
    for path in paths {
        if let Some((_, lock)) = held.iter().find(|(pattern, _)| pattern.covers(path.as_bytes())) {
            return Err(refusal(lock, path.as_bytes()));
        }
    }
    Ok(())
}

/// The paths that changes are about, those that files are moved from too.
#[must_use]
pub fn paths_of(changes: &[Change]) -> Vec<BytePath> {
    let both = changes.iter().flat_map(|change| {
        let from = match &change.kind {
            ChangeKind::Renamed { from } => Some(from),
            _ => None,
        };
        from.into_iter().chain([&change.path])
    });
    both.cloned().collect()
}

/// The paths in which two trees differ.
///
/// # Errors
/// One of them cannot be read.
pub fn paths_between(cx: &mut Context, old: RootId, new: RootId) -> Result<Vec<BytePath>> {
    let (old, new) = (StateView::frozen(cx, old)?, StateView::frozen(cx, new)?);
    Ok(paths_of(&changes(&old, &new, &Scope::All).map_err(LiveError::from)?))
}

fn compiled(pattern: &[u8], is_literal: bool) -> PathPattern {
    if is_literal { PathPattern::literal(pattern) } else { PathPattern::glob(pattern) }
}

fn refusal(lock: &Lock, path: &[u8]) -> Error {
    let text = |bytes: &[u8]| format!("/{}", String::from_utf8_lossy(bytes));
    let until = jiff::Timestamp::from_nanosecond(i128::from(lock.expires_ns));
    let until = until.map(|time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default();
    CoordinationError::Locked {
        path: text(path),
        pattern: text(&lock.pattern),
        holder: lock.actor.clone(),
        until,
        message: lock.message.clone(),
    }
    .into()
}

fn lost(token: &str) -> Error {
    CoordinationError::LockLost { token: token.to_owned() }.into()
}

fn check_ttl(ttl_ns: i64) -> Result<()> {
    if ttl_ns > MAX_TTL_NS {
        return Err(
            CoordinationError::BadText { what: "the time", why: "a lock holds for 30 days at most".into() }.into()
        );
    }
    Ok(())
}

/// A session and the source that it shares locks with.
fn shared(cx: &mut Context, session: Option<&str>) -> Result<(Session, Source)> {
    let session = cx.resolve_session(session)?;
    let view = cx.catalog()?.view();
    let source = session.base.source.as_deref().map(|id| view.source_by_id(id)).transpose()?.flatten();
    let source = source.ok_or_else(|| CoordinationError::NoSource { session: session.name.clone() })?;
    Ok((session, source))
}

/// What a user wrote, from the root of the tree. A slash in front stands for that root, unless it leads into the mount.
fn pattern_of(cx: &Context, session: &Session, written: &OsString) -> Result<BytePath> {
    if written.len() > MAX_PATTERN_BYTES {
        let why = format!("it has more than {MAX_PATTERN_BYTES} bytes");
        return Err(CoordinationError::BadText { what: "the path", why }.into());
    }
    match tree_paths(cx, session, std::slice::from_ref(written)) {
        Err(Error::OutsideTree { .. }) if written.as_bytes().starts_with(b"/") => {
            BytePath::parse(written.as_bytes()).map_err(|why| Error::BadPath { path: written.into(), why })
        }
        found => Ok(found?.pop().unwrap_or_default()),
    }
}

fn named(view: View<'_>, lock: Lock) -> Result<LockInfo> {
    let source = view.source_by_id(&lock.source)?.map_or_else(|| lock.source.clone(), |source| source.name);
    let session = view.session_name(&lock.session)?;
    Ok(LockInfo { lock, source, session })
}
