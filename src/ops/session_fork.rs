//! Forking: new sessions that begin with the state of another one, at one moment.
//!
//! A fork stands on the sealed tree of its parent, so it is a row in the catalog, whatever the size of the tree. What it
//! is compared with is what its parent is compared with: it brings all that its parent would bring.

use serde_json::json;

use crate::catalog::{Base, Commit, ObjectType, Parent, Session, View};
use crate::model::RootId;
use crate::store::Hold;

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::hooks::{self, Occasion, Transition};
use super::outcome::OutcomeError;
use super::session_list::{SessionInfo, show};
use super::{Context, Error, names, session_create, tags};

/// What to fork.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; that of the checkpoint, or the current one, if not given.
    pub session: Option<String>,
    /// The fork's name; with several forks what their names begin with.
    pub name: Option<String>,
    /// A checkpoint or a commit in place of the present state.
    pub from: Option<String>,
    /// How many forks.
    pub count: u32,
    /// Tags beside those of the parent, each `key=value`.
    pub tags: Vec<String>,
}

/// What forks begin with.
struct Start {
    parent: Session,
    root: RootId,
    checkpoint: Option<u64>,
    commit: Option<Commit>,
    hold: Option<Hold>,
}

/// Makes forks, all of the same moment, all or none.
///
/// # Errors
/// The session or checkpoint is not there or cannot be read, or a name is wrong or taken.
pub fn run(cx: &mut Context, request: &Request) -> Result<Vec<SessionInfo>> {
    if let (Some(name), 0..=1) = (&request.name, request.count) {
        // Before the seal, which may take long; the transaction looks again.
        cx.catalog()?.view().check_free(ObjectType::Session, name)?;
    }
    let given = request.tags.iter().map(|text| tags::parse(text)).collect::<Result<Vec<_>>>()?;
    loop {
        let start = start(cx, request)?;
        let passed = hooks::before(cx, occasion(&start, None))?;
        let made = cx.write(|tx| {
            let parent = tx.view().session(&start.parent.id)?;
            let is_present = start.checkpoint.is_none() && start.commit.is_none();
            if start.hold.is_none() && is_present && parent.base.root != Some(start.root) {
                return Ok(None);
            }
            let base = match &start.commit {
                Some(commit) => session_create::base_of(commit),
                None => Base { root: Some(start.root), ..parent.base.clone() },
            };
            let head = head(tx.view(), &parent, &start)?;
            let from = start.commit.as_ref().map(|commit| commit.id.as_str());
            let origin = Parent { session: parent.id.clone(), root: start.root, checkpoint: start.checkpoint };
            let own = tx.view().tags(&parent.id)?;
            let mut made = Vec::new();
            for at in 1..=request.count.max(1) {
                let name = name(tx.view(), request, &parent.name, at)?;
                let id = tx.create_session(&name, &base, Some(&origin))?;
                tx.set_session_commits(&id, head.as_deref(), from)?;
                for (key, value) in own.iter().chain(given.iter().map(|(key, value)| (key, value))) {
                    tx.set_tag(&id, key, value)?;
                }
                tx.copy_cache(&parent.id, &id)?;
                made.push(id);
            }
            Ok(Some(made))
        })?;
        // The session was put on another tree in between, and nothing kept the one that was read: look again.
        if let Some(made) = made {
            let forks = made.iter().map(|id| show(cx, Some(id))).collect::<Result<Vec<_>>>()?;
            passed.done_for_each(cx, forks.iter().map(|fork| occasion(&start, Some(&fork.session))));
            return Ok(forks);
        }
    }
}

/// What hooks are told: of the parent before, of each fork afterwards.
fn occasion(start: &Start, fork: Option<&Session>) -> Occasion {
    let parent = &start.parent;
    let details = json!({ "parent": { "id": parent.id, "name": parent.name }, "checkpoint": start.checkpoint });
    Occasion::at(Transition::Fork, fork.unwrap_or(parent), start.root, details)
}

fn start(cx: &mut Context, request: &Request) -> Result<Start> {
    let Some(from) = &request.from else {
        let parent = cx.resolve_session(request.session.as_deref())?;
        let sealed = seal_session(cx, &parent)?;
        return Ok(Start { parent, root: sealed.root, checkpoint: None, commit: None, hold: sealed.hold });
    };
    if let Some(start) = from_commit(cx, request, from)? {
        return Ok(start);
    }
    let is_whole = from.contains('@') || from.starts_with("c-");
    let parent = match (&request.session, is_whole && !from.starts_with('@')) {
        (None, true) => None,
        (session, _) => Some(cx.resolve_session(session.as_deref())?),
    };
    let view = cx.catalog()?.view();
    let (owner, checkpoint) = match &parent {
        Some(parent) if !is_whole => (parent.clone(), view.checkpoint(parent, from)?),
        parent => names::resolve_checkpoint(view, from, parent.as_ref())?,
    };
    match parent.filter(|parent| parent.id != owner.id) {
        Some(parent) => Err(Error::OtherSession { text: from.clone(), name: parent.name, owner: owner.name }),
        None => {
            let number = Some(checkpoint.number);
            Ok(Start { parent: owner, root: checkpoint.root, checkpoint: number, commit: None, hold: None })
        }
    }
}

/// A fork of what a commit has; its parent is the session that the commit was made in.
fn from_commit(cx: &mut Context, request: &Request, from: &str) -> Result<Option<Start>> {
    let given = request.session.as_deref().map(|key| cx.resolve_session(Some(key))).transpose()?;
    let view = cx.catalog()?.view();
    // A checkpoint of the session may have a name that begins like the id of a commit.
    let is_name = given.as_ref().is_some_and(|session| view.checkpoint(session, from).is_ok());
    if !from.starts_with("o-") || from.contains('@') || is_name {
        return Ok(None);
    }
    let commit = view.commit(from)?;
    let owner = view
        .session(&commit.session)
        .map_err(|_| OutcomeError::SessionGone { id: commit.id.clone(), session: commit.session_name.clone() })?;
    match given.filter(|session| session.id != owner.id) {
        Some(session) => Err(Error::OtherSession { text: from.into(), name: session.name, owner: owner.name }),
        None => {
            Ok(Some(Start { parent: owner, root: commit.root, checkpoint: None, commit: Some(commit), hold: None }))
        }
    }
}

/// The commit that the next one of a fork follows: the newest that what it begins with is known to have.
fn head(view: View<'_>, parent: &Session, start: &Start) -> Result<Option<String>> {
    if let Some(commit) = &start.commit {
        return Ok(Some(commit.id.clone()));
    }
    let Some(number) = start.checkpoint else { return Ok(parent.head_commit.clone()) };
    let made_ns = view.checkpoint(parent, &number.to_string())?.created_ns;
    let chain = view.commit_chain(parent.head_commit.as_deref())?;
    Ok(chain.into_iter().find(|commit| commit.created_ns <= made_ns).map(|commit| commit.id))
}

/// The name of the fork with this number.
fn name(view: View<'_>, request: &Request, parent: &str, at: u32) -> Result<String> {
    let mut number = match (&request.name, request.count) {
        (Some(name), 0..=1) => return Ok(name.clone()),
        (Some(name), _) => return Ok(format!("{name}-{at}")),
        (None, _) => 2,
    };
    loop {
        let name = format!("{parent}-{number}");
        if !view.name_is_taken(ObjectType::Session, &name)? {
            return Ok(name);
        }
        number += 1;
    }
}
