//! Asking.

use serde_json::{Value, json};

use crate::catalog::{Answer, Approval, ApprovalFilter, ApprovalState, NewApproval, Session, Status, Tx, Verdict};
use crate::ops::error::Result;
use crate::ops::gate::{Action, Content, GateError, Question, Work, applicable};
use crate::ops::hooks::{self, Occasion, Transition};
use crate::ops::session_archive::refuse_archived;
use crate::ops::{Context, freeze};

use super::{ApprovalError, awaited, lapse, occasion};

/// The word of the action that a review is.
pub const REVIEW: &str = "review";

/// The longest word for an action, in bytes.
const MAX_WORD_BYTES: usize = 60;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// The word of the action.
    pub action: String,
    /// Why.
    pub reason: String,
    /// A JSON object of the asker's own, as text.
    pub details: Option<String>,
    /// For how long it can be decided, in nanoseconds.
    pub expires_in_ns: Option<i64>,
    /// Whether the session cannot be changed until then.
    pub freeze: bool,
    /// How many actors have to grant it.
    pub grants: Option<u32>,
}

/// Asks whether an action may happen to what a session holds now. An earlier question about the same action that is
/// still open is taken back: it was about something else.
///
/// # Errors
/// The session is not there, archived, in conflict or cannot be read; this was asked already; the details are no JSON object.
pub fn request(cx: &mut Context, request: &Request) -> Result<Approval> {
    lapse(cx)?;
    let word = check_word(&request.action)?;
    let details = request.details.as_deref().map(parse_details).transpose()?;
    let session = cx.resolve_session(request.session.as_deref())?;
    refuse_archived(&session)?;
    if session.status == Status::Conflict {
        return Err(GateError::InConflict { action: Action::from_word(word), name: session.name }.into());
    }
    let passed = hooks::before(cx, Occasion::of(Transition::ApprovalRequested, &session, json!({})))?;
    if request.freeze {
        // From here on programs change nothing, so that what is asked about is what is there.
        freeze::order(cx, &session.id, true)?;
    }
    let asked = ask(cx, &session, request, details);
    if request.freeze {
        // It failed, or a mount came in between.
        freeze::tell(cx, &session.id)?;
    }
    let asked = asked?;
    passed.done_as(cx, occasion(Transition::ApprovalRequested, &asked));
    Ok(asked)
}

fn ask(cx: &mut Context, session: &Session, request: &Request, details: Option<Value>) -> Result<Approval> {
    let content = Content::of(cx, &Work::present(session, None))?;
    let wanted = wanted(cx, session, request, &content)?;
    let new = NewApproval {
        action: request.action.clone(),
        content: content.hash,
        root: content.root,
        onto: content.onto,
        reason: request.reason.clone(),
        details,
        needed: request.grants.unwrap_or(wanted.max(1)),
        freezes: request.freeze,
        expires_ns: request.expires_in_ns.map(|length| cx.now_ns.saturating_add(length)),
    };
    let (actor, time_ns) = (cx.actor.clone(), cx.now_ns);
    let id = cx.write(|tx| {
        let session = tx.view().session(&session.id)?;
        take_back(tx, &session, &new, (&actor, time_ns))?;
        let id = tx.create_approval(&session, &new)?;
        let status = awaited(tx, &session)?;
        if matches!(session.status, Status::Active | Status::Review | Status::PendingApproval)
            && session.status != status
        {
            tx.set_session_status(&session, status)?;
        }
        Ok(id)
    })?;
    Ok(cx.catalog()?.view().approval(&id)?)
}

/// How many grants the policy wants.
fn wanted(cx: &mut Context, session: &Session, request: &Request, content: &Content) -> Result<u32> {
    let view = cx.catalog()?.view();
    let (action, facts) = (Action::from_word(&request.action), content.facts());
    let Some(read) = facts.policy(view, session.base.source.as_deref())? else { return Ok(0) };
    let question = Question {
        session: &session.id,
        name: &session.name,
        source: session.base.source.as_deref(),
        action: &action,
        facts: &facts,
        now_ns: 0,
    };
    Ok(applicable(&read, &question).iter().map(|rule| rule.grants).max().unwrap_or(0))
}

/// Ends an open question about the same action.
fn take_back(tx: &mut Tx<'_>, session: &Session, new: &NewApproval, (actor, time_ns): (&str, i64)) -> Result<()> {
    let filter = ApprovalFilter {
        session: Some(session.id.clone()),
        state: Some(ApprovalState::Pending),
        action: Some(new.action.clone()),
        limit: None,
    };
    for before in tx.view().approvals(&filter)? {
        if before.content == new.content {
            return Err(ApprovalError::AskedAlready { id: before.id, action: before.action }.into());
        }
        let answer = Answer {
            verdict: Verdict::Cancel,
            message: "asked again, for another content".into(),
            time_ns,
            actor: actor.to_owned(),
            actor_kind: None,
            signature: None,
        };
        tx.add_answer(&before, &answer)?;
        tx.settle_approval(&before, &answer, ApprovalState::Cancelled)?;
    }
    Ok(())
}

/// A word of one's own is made of what can be typed and printed anywhere.
fn check_word(word: &str) -> Result<&str> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let is_good = (1..=MAX_WORD_BYTES).contains(&word.len())
        && word.bytes().all(is_plain)
        && word.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    match is_good {
        true => Ok(word),
        false => Err(ApprovalError::BadAction { word: word.to_owned() }.into()),
    }
}

fn parse_details(text: &str) -> Result<Value> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(ApprovalError::BadDetails { why: "it is no object".into() }.into()),
        Err(error) => Err(ApprovalError::BadDetails { why: error.to_string() }.into()),
    }
}
