//! Waiting for a decision.

use std::time::{Duration, Instant};

use crate::catalog::ApprovalState;
use crate::ops::Context;
use crate::ops::error::Result;
use crate::ops::wake::Wakes;

use super::list::{Info, Standing, show};

/// How the waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It may happen.
    Granted,
    /// Somebody said no, or it was taken back.
    Refused,
    /// It was granted for something else than what the session holds, or nobody decided in time.
    Stale,
    /// Nobody decided while it was waited for.
    TimedOut,
}

/// Waits until an approval is decided, for as long as `limit` if that is given. Sleeps until the catalog changes.
///
/// # Errors
/// It is not there, or the session cannot be read.
pub fn wait(cx: &mut Context, key: &str, limit: Option<Duration>) -> Result<(Info, Ended)> {
    let end = limit.map(|limit| Instant::now() + limit);
    // Watched before the first look, so that nothing falls between the two.
    let data_dir = cx.paths.data.clone();
    cx.catalog()?;
    let mut wakes = Wakes::watch(&data_dir)?;
    let key = &super::find(cx, key)?.id;
    let (began, begun_ns) = (Instant::now(), cx.now_ns);
    loop {
        let passed = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        cx.now_ns = begun_ns.saturating_add(passed);
        let info = look(cx, key)?;
        if let Some(ended) = outcome(&info) {
            return Ok((info, ended));
        }
        let until_expiry = info.approval.expires_ns.map(|expires| expires.saturating_sub(cx.now_ns).max(0));
        let until_expiry = until_expiry.map(|left| Duration::from_nanos(left.unsigned_abs()));
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Ok((info, Ended::TimedOut));
        }
        wakes.wait(left.into_iter().chain(until_expiry).min());
    }
}

/// Looks without reading the session as long as nothing is decided.
fn look(cx: &mut Context, key: &str) -> Result<Info> {
    super::lapse(cx)?;
    let approval = cx.catalog()?.view().approval(key)?;
    match approval.state {
        ApprovalState::Granted => show(cx, key),
        _ => {
            let answers = cx.catalog()?.view().answers(&approval.id)?;
            Ok(Info { approval, answers, standing: Standing::Current })
        }
    }
}

fn outcome(info: &Info) -> Option<Ended> {
    match (info.approval.state, info.standing) {
        (ApprovalState::Pending, _) => None,
        (ApprovalState::Granted, Standing::Stale) => Some(Ended::Stale),
        (ApprovalState::Granted, _) => Some(Ended::Granted),
        (ApprovalState::Denied | ApprovalState::Cancelled, _) => Some(Ended::Refused),
        (ApprovalState::Expired, _) => Some(Ended::Stale),
    }
}
