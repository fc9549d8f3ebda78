//! Looking at approvals, and at what they stand for.

use crate::catalog::{Answer, Approval, ApprovalFilter, ApprovalState};
use crate::ops::Context;
use crate::ops::error::Result;
use crate::ops::gate::{Content, Work};
use crate::ops::names::Named;
use crate::ops::session_changes::{self, Compared, Request};
use crate::ops::states::StateView;

use super::lapse;

/// How what a session holds stands to what an approval is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds just that.
    Current,
    /// It holds something else.
    Stale,
    /// The session is gone.
    Gone,
}

impl Standing {
    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Gone => "gone",
        }
    }
}

/// An approval with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Info {
    /// The approval.
    pub approval: Approval,
    /// What was answered, in order.
    pub answers: Vec<Answer>,
    /// How the session stands to it.
    pub standing: Standing,
}

/// Approvals, newest first.
///
/// # Errors
/// What the catalog says.
pub fn list(cx: &mut Context, filter: &ApprovalFilter) -> Result<Vec<Approval>> {
    lapse(cx)?;
    Ok(cx.catalog()?.view().approvals(filter)?)
}

/// One approval. Whether it is stale is found out by comparing the session with what it stands on.
///
/// # Errors
/// It is not there, or the session cannot be read.
pub fn show(cx: &mut Context, key: &str) -> Result<Info> {
    lapse(cx)?;
    let approval = super::find(cx, key)?;
    let answers = cx.catalog()?.view().answers(&approval.id)?;
    let standing = standing(cx, &approval)?;
    Ok(Info { approval, answers, standing })
}

/// How a session stands to an approval of it.
pub(super) fn standing(cx: &mut Context, approval: &Approval) -> Result<Standing> {
    let Ok(session) = cx.catalog()?.view().session(&approval.session) else { return Ok(Standing::Gone) };
    let present = Content::of(cx, &Work::present(&session, None))?;
    Ok(if present.hash == approval.content { Standing::Current } else { Standing::Stale })
}

/// What it was asked about, whatever became of the session.
///
/// # Errors
/// It cannot be read.
pub fn difference(cx: &mut Context, approval: &Approval, request: &Request) -> Result<Compared> {
    let scope = session_changes::scope(cx, request.all, approval.source.as_deref())?;
    let (old, new) = (StateView::frozen(cx, approval.onto)?, StateView::frozen(cx, approval.root)?);
    let compared = session_changes::compare(old.into(), new.into(), &scope, &request.paths)?;
    Ok(match cx.catalog()?.view().session(&approval.session) {
        Ok(session) => compared.with(Named::Session(session)),
        Err(_) => compared,
    })
}

impl Info {
    /// The word for where it stands: `stale` if it was granted for something else than what the session holds.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.approval.state, self.standing) {
            (ApprovalState::Granted, Standing::Stale) => "stale",
            (state, _) => state.word(),
        }
    }
}
