//! Answering.

use crate::catalog::{Approval, ApprovalState, Verdict};
use crate::ops::error::Result;
use crate::ops::{Context, freeze};

use super::{ApprovalError, lapse, release};

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The approval.
    pub key: String,
    /// The answer.
    pub verdict: Verdict,
    /// With which words.
    pub message: String,
}

/// Answers. Each grant has to come from another actor; the last one that is needed grants it. One no is enough.
///
/// # Errors
/// It is not there, not pending any more, or the same actor granted it already.
pub fn answer(cx: &mut Context, reply: &Reply) -> Result<Approval> {
    lapse(cx)?;
    let asked = super::find(cx, &reply.key)?;
    let actor = cx.actor.clone();
    cx.write(|tx| {
        let approval = tx.view().approval(&asked.id)?;
        if approval.state != ApprovalState::Pending {
            return Err(ApprovalError::NotPending { id: approval.id, state: approval.state }.into());
        }
        let granted = tx.view().answers(&approval.id)?;
        let granted: Vec<_> = granted.iter().filter(|answer| answer.verdict == Verdict::Grant).collect();
        let state = match reply.verdict {
            Verdict::Grant if granted.iter().any(|answer| answer.actor == actor) => {
                return Err(ApprovalError::GrantedAlready { id: approval.id, actor: actor.clone() }.into());
            }
            Verdict::Grant if granted.len() + 1 < approval.needed as usize => ApprovalState::Pending,
            Verdict::Grant => ApprovalState::Granted,
            Verdict::Deny => ApprovalState::Denied,
            Verdict::Cancel => ApprovalState::Cancelled,
        };
        tx.answer_approval(&approval, (reply.verdict, &reply.message), (None, None), state)?;
        release(tx, &approval.session)
    })?;
    if asked.freezes {
        freeze::tell(cx, &asked.session)?;
    }
    Ok(cx.catalog()?.view().approval(&asked.id)?)
}
