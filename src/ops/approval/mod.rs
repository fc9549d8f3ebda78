//! Approvals: asking whether an action may happen to the content of a session, answering, and waiting for the answer.
//!
//! An approval stands for a change set, by its hash. What was granted holds for that content and no other: it is stale as
//! long as the session holds something else, and holds again when that is undone. The trees of both sides are kept, so
//! that it can be seen later what was decided about.

mod answer;
mod error;
mod list;
mod request;
mod sign;
mod wait;

use serde_json::json;

use crate::catalog::{Session, Status, Tx};

use super::error::Result;
use super::hooks::{Occasion, State, Transition};
use super::{Context, freeze};

pub use crate::catalog::{Answer, Approval, ApprovalFilter, ApprovalState, Verdict};
pub use answer::{Reply, answer};
pub use error::ApprovalError;
pub use list::{Info, Standing, difference, list, show};
pub use request::{REVIEW, Request, request};
pub use wait::{Ended, wait};

/// The approval that a text names: by its id, or a unique prefix of it; by its session, if only one is pending there, and
/// else the newest.
///
/// # Errors
/// There is none, or several could be meant.
pub fn find(cx: &mut Context, key: &str) -> Result<Approval> {
    if key.starts_with("a-") && !key.contains('@') {
        return Ok(cx.catalog()?.view().approval(key)?);
    }
    let session = cx.resolve_session(Some(key))?;
    let filter = ApprovalFilter { session: Some(session.id), ..ApprovalFilter::default() };
    let pending = ApprovalFilter { state: Some(ApprovalState::Pending), ..filter.clone() };
    let mut pending = cx.catalog()?.view().approvals(&pending)?;
    match pending.len() {
        0 => {
            let newest = cx.catalog()?.view().approvals(&ApprovalFilter { limit: Some(1), ..filter })?.pop();
            Ok(newest.ok_or(ApprovalError::NoneAsked { session: session.name })?)
        }
        1 => Ok(pending.remove(0)),
        _ => {
            let candidates = pending.iter().map(|found| format!("{} ({})", found.id, found.action)).collect();
            Err(ApprovalError::SeveralAsked { session: session.name, candidates }.into())
        }
    }
}

/// What hooks are told of an approval.
fn occasion(transition: Transition, approval: &Approval) -> Occasion {
    Occasion {
        transition,
        session: Some((approval.session.clone(), approval.session_name.clone())),
        source: approval.source.clone(),
        state: State::Tree(approval.root),
        details: json!({
            "approval": approval.id,
            "action": approval.action,
            "state": approval.state.word(),
            "asked_by": approval.actor,
            "reason": approval.reason,
        }),
    }
}

/// Takes a session out of the state of waiting once nothing is awaited any more.
fn release(tx: &mut Tx<'_>, session: &str) -> Result<()> {
    let Some(session) = tx.view().session_even_deleted(session)? else { return Ok(()) };
    let wanted = awaited(tx, &session)?;
    if matches!(session.status, Status::Review | Status::PendingApproval) && session.status != wanted {
        tx.set_session_status(&session, wanted)?;
    }
    Ok(())
}

/// The status that a session has as long as somebody is waited for.
fn awaited(tx: &Tx<'_>, session: &Session) -> Result<Status> {
    let filter = ApprovalFilter {
        session: Some(session.id.clone()),
        state: Some(ApprovalState::Pending),
        ..ApprovalFilter::default()
    };
    let pending = tx.view().approvals(&filter)?;
    Ok(match pending.iter().any(|approval| approval.action == REVIEW) {
        true => Status::Review,
        false if pending.is_empty() => Status::Active,
        false => Status::PendingApproval,
    })
}

/// Notes those that nobody decided in time: their sessions can be changed again.
///
/// # Errors
/// What the catalog says, or a mount process cannot be reached.
pub(super) fn lapse(cx: &mut Context) -> Result<()> {
    let now = cx.now_ns;
    if cx.catalog()?.view().due_approvals(now)?.is_empty() {
        return Ok(());
    }
    let lapsed = cx.write(|tx| {
        let due = tx.view().due_approvals(now)?;
        for approval in &due {
            tx.expire_approval(approval)?;
            release(tx, &approval.session)?;
        }
        // Time cannot be turned back.
        tx.pass_over()?;
        Ok(due)
    })?;
    lapsed.iter().filter(|approval| approval.freezes).try_for_each(|approval| freeze::tell(cx, &approval.session))
}
