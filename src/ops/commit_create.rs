//! Committing: the tracked changes of a session become something that stays.

use serde_json::json;

use crate::catalog::{Commit, NewCommit, Session};
use crate::model::{ChangeSetHash, RootId};

use super::Context;
use super::annotation;
use super::error::Result;
use super::gate::{self, Action, Pass, Work};
use super::hooks::{self, Occasion, Transition};
use super::outcome::{self, Outcome, OutcomeError, message};
use super::session_changes::Compared;

/// What is said of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Message {
    /// This.
    Text(String),
    /// What is made from the changes.
    Summary,
    /// What the commit says that is amended; without one there is none.
    #[default]
    Kept,
}

/// What to commit.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// What to say of it.
    pub message: Message,
    /// Whose work it is; that of whoever acts, or of the author of what is amended, if not given.
    pub author: Option<String>,
    /// Put it in the place of the session's last commit.
    pub amend: bool,
}

/// What a commit holds, or would hold.
#[derive(Debug)]
pub struct Draft {
    /// The commit that it follows.
    pub parent: Option<Commit>,
    /// The commit that it is put in the place of.
    pub amends: Option<Commit>,
    /// What is said of it, as far as that is known.
    pub message: Option<String>,
    /// Whose work it is.
    pub author: String,
    outcome: Outcome,
    root: RootId,
    pass: Pass,
}

impl Draft {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.outcome.session
    }

    /// The whole change set.
    #[must_use]
    pub fn compared(&self) -> &Compared {
        &self.outcome.compared
    }

    /// Its name.
    #[must_use]
    pub fn change_set(&self) -> ChangeSetHash {
        self.outcome.change_set
    }
}

/// Commits the tracked changes of a session, mounted or not, as they are at this moment.
///
/// # Errors
/// [`OutcomeError`], what [`gate::pass`] says, or the session or the store cannot be used.
pub fn run(cx: &mut Context, request: &Request) -> Result<(Commit, Draft)> {
    let draft = draft(cx, request)?;
    let message = message::checked(draft.message.as_deref().unwrap_or_default())?;
    let totals = outcome::root(cx.store()?, draft.root)?.totals;
    let session = draft.session().clone();
    let new = NewCommit {
        root: draft.root,
        totals,
        change_set: draft.change_set(),
        changed: draft.compared().visible().len() as u64,
        parent: draft.parent.as_ref().map(|parent| parent.id.clone()),
        amends: draft.amends.as_ref().map(|amended| amended.id.clone()),
        message,
        author: draft.author.clone(),
        notes: annotation::to_carry(cx, &session, draft.root)?,
    };
    let details = json!({
        "message": new.message,
        "author": new.author,
        "change_set": new.change_set.to_string(),
        "changed": new.changed,
        "amends": new.amends,
    });
    let occasion = Occasion::at(Transition::Commit, &session, draft.outcome.state, details.clone());
    let passed = hooks::before(cx, occasion)?;
    let id = cx.write(|tx| {
        draft.pass.confirm(tx.view())?;
        let now = tx.view().session(&session.id)?;
        if (&now.head_commit, &now.base.onto, now.status) != (&session.head_commit, &session.base.onto, session.status)
        {
            return Err(OutcomeError::Overtaken { name: now.name }.into());
        }
        Ok(tx.create_commit(&now, &new)?)
    })?;
    let mut details = details;
    details["commit"] = json!(id);
    passed.done_with(cx, details);
    Ok((cx.catalog()?.view().commit(&id)?, draft))
}

/// What [`run`] would commit. The message may still be missing.
///
/// # Errors
/// As [`run`].
pub fn draft(cx: &mut Context, request: &Request) -> Result<Draft> {
    let session = cx.resolve_session(request.session.as_deref())?;
    let mut chain = cx.catalog()?.view().commit_chain(session.head_commit.as_deref())?.into_iter();
    let newest = chain.next();
    let (amends, parent) = match (request.amend, newest) {
        (false, newest) => (None, newest),
        (true, Some(own)) if own.session == session.id => (Some(own), chain.next()),
        (true, _) => return Err(OutcomeError::NothingToAmend { name: session.name }.into()),
    };
    refuse_in_use(cx, amends.as_ref())?;
    let said = match &request.author {
        Some(text) => Some(message::checked_author(text)?),
        None => amends.as_ref().map(|amended| amended.author.clone()),
    };
    let author = said.unwrap_or_else(|| cx.actor.clone());
    let outcome = Outcome::of(cx, session)?;
    let pass = gate::pass(cx, Action::Commit, Work::present(&outcome.session, Some(outcome.state)))?;
    let root = outcome.tree(cx)?;
    refuse_nothing(cx, &outcome, root, parent.as_ref())?;
    let message = match &request.message {
        Message::Text(text) => Some(text.clone()),
        Message::Summary => Some(message::summary(&outcome.compared.changes)),
        Message::Kept => amends.as_ref().map(|amended| amended.message.clone()),
    };
    Ok(Draft { parent, amends, message, author, outcome, root, pass })
}

/// Refuses to take away a commit that sessions began with.
pub(super) fn refuse_in_use(cx: &mut Context, commit: Option<&Commit>) -> Result<()> {
    let Some(commit) = commit else { return Ok(()) };
    match cx.catalog()?.view().sessions_from_commit(&commit.id)? {
        sessions if sessions.is_empty() => Ok(()),
        sessions => Err(OutcomeError::CommitInUse { id: commit.id.clone(), sessions }.into()),
    }
}

/// Refuses what the commit before has already, or what the session stands on.
fn refuse_nothing(cx: &mut Context, outcome: &Outcome, root: RootId, parent: Option<&Commit>) -> Result<()> {
    let store = cx.store()?;
    let before = parent.map_or(outcome.onto, |parent| parent.root);
    if outcome::root(store, root)?.dir.content != outcome::root(store, before)?.dir.content {
        return Ok(());
    }
    let base = || match (&outcome.session.source_name, outcome.session.base.revision) {
        (Some(source), Some(revision)) => format!("`{source}@{revision}`"),
        _ => "an empty one".into(),
    };
    let than = parent.map_or_else(base, |parent| format!("commit `{}`", parent.id));
    Err(OutcomeError::NothingToCommit { name: outcome.session.name.clone(), than }.into())
}
