//! Answering.

use std::path::PathBuf;

use crate::catalog::{Answer, Approval, ApprovalState, Tx, Verdict};
use crate::ops::error::Result;
use crate::ops::gate::{Action, Content, Facts, Lack, Question, Read, applicable, judge, policy_of};
use crate::ops::hooks::{self, Transition};
use crate::ops::policy::{Granting, Policy};
use crate::ops::{Context, freeze};

use super::{ApprovalError, lapse, occasion, release, sign};

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The approval.
    pub key: String,
    /// The answer.
    pub verdict: Verdict,
    /// With which words.
    pub message: String,
    /// The file of the SSH key to sign a grant with.
    pub sign_with: Option<PathBuf>,
}

/// Answers. Each grant has to come from another actor; the last one that is needed grants it, by what the source's policy
/// wants for this content. One no is enough.
///
/// # Errors
/// It is not there, not pending any more, the same actor granted it already, or the policy does not let them.
pub fn answer(cx: &mut Context, reply: &Reply) -> Result<Approval> {
    lapse(cx)?;
    let asked = super::find(cx, &reply.key)?;
    refuse_decided(&asked)?;
    let policy = policy_of(cx.catalog()?.view(), asked.source.as_deref())?;
    // The content is read before the transaction, and does not change.
    let facts = match (&policy, reply.verdict) {
        (Some(_), Verdict::Grant) => {
            Some(Content::between(cx, (asked.onto, asked.root), asked.source.as_deref())?.facts())
        }
        _ => None,
    };
    let given = given(cx, reply, &asked, policy.as_ref())?;
    let passed = hooks::before(cx, occasion(Transition::ApprovalDecided, &asked))?;
    cx.write(|tx| {
        let approval = tx.view().approval(&asked.id)?;
        refuse_decided(&approval)?;
        let state = match reply.verdict {
            Verdict::Grant => grant(tx, &approval, &given, facts.as_ref())?,
            Verdict::Deny | Verdict::Cancel => {
                tx.add_answer(&approval, &given)?;
                if reply.verdict == Verdict::Deny { ApprovalState::Denied } else { ApprovalState::Cancelled }
            }
        };
        tx.settle_approval(&approval, &given, state)?;
        release(tx, &approval.session)
    })?;
    if asked.freezes {
        freeze::tell(cx, &asked.session)?;
    }
    let answered = cx.catalog()?.view().approval(&asked.id)?;
    passed.done_as(cx, occasion(Transition::ApprovalDecided, &answered));
    Ok(answered)
}

fn refuse_decided(approval: &Approval) -> Result<()> {
    match approval.state {
        ApprovalState::Pending => Ok(()),
        state => Err(ApprovalError::NotPending { id: approval.id.clone(), state }.into()),
    }
}

/// The answer with who gives it, and the signature that was wanted.
fn given(cx: &Context, reply: &Reply, asked: &Approval, policy: Option<&Policy>) -> Result<Answer> {
    let signature = match &reply.sign_with {
        None => None,
        Some(key) => {
            let signers = policy.map(|policy| policy.signatures.allowed_signers.as_str()).unwrap_or_default();
            if signers.is_empty() {
                return Err(ApprovalError::NoSigners.into());
            }
            let signature = sign::sign(asked, key)?;
            sign::verify(asked, &cx.actor, &signature, signers)?;
            Some(signature)
        }
    };
    Ok(Answer {
        verdict: reply.verdict,
        message: reply.message.clone(),
        time_ns: cx.now_ns,
        actor: cx.actor.clone(),
        actor_kind: cx.actor_kind.clone(),
        signature,
    })
}

/// Adds a grant, and says where the approval stands then.
fn grant(tx: &mut Tx<'_>, approval: &Approval, given: &Answer, facts: Option<&Facts>) -> Result<ApprovalState> {
    let before = tx.view().answers(&approval.id)?;
    let grants = before.iter().filter(|answer| answer.verdict == Verdict::Grant);
    if grants.clone().any(|answer| answer.actor == given.actor) {
        let (id, actor) = (approval.id.clone(), given.actor.clone());
        return Err(ApprovalError::GrantedAlready { id, actor }.into());
    }
    let is_enough = grants.count() + 1 >= approval.needed as usize;
    let action = Action::from_word(&approval.action);
    let question = facts.map(|facts| Question {
        session: &approval.session,
        name: &approval.session_name,
        source: approval.source.as_deref(),
        action: &action,
        facts,
        now_ns: given.time_ns,
    });
    if let Some(question) = &question
        && let Some(read) = question.facts.policy(tx.view(), approval.source.as_deref())?
    {
        refuse_useless(&read, question, approval, given)?;
    }
    tx.add_answer(approval, given)?;
    let lacks = match &question {
        Some(question) => judge(tx.view(), question)?,
        None => Vec::new(),
    };
    let wants_more = lacks.iter().any(|lack| matches!(lack, Lack::Grants { .. }));
    Ok(if is_enough && !wants_more { ApprovalState::Granted } else { ApprovalState::Pending })
}

/// Refuses a grant that no rule would count.
fn refuse_useless(read: &Read, question: &Question<'_>, approval: &Approval, given: &Answer) -> Result<()> {
    let granting = Granting {
        actor: &given.actor,
        kind: given.actor_kind.as_deref(),
        asker: &approval.actor,
        is_signed: given.signature.is_some(),
    };
    let objections: Vec<_> =
        applicable(read, question).into_iter().map(|rule| (rule, rule.objection(&granting))).collect();
    match objections.first() {
        Some((rule, Some(why))) if objections.iter().all(|(_, objection)| objection.is_some()) => {
            let (id, actor, rule) = (approval.id.clone(), given.actor.clone(), rule.named.clone());
            Err(ApprovalError::MayNot { id, actor, rule, why }.into())
        }
        _ => Ok(()),
    }
}
