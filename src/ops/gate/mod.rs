//! The gate: every action that makes work durable, or takes it away, passes here before it happens.
//!
//! The library asks, not the command line, so that no command goes around it. Whoever acts calls [`pass`] with what the
//! action is about, once that is sealed, and [`Pass::confirm`] in the transaction that makes it happen: what was asked
//! in between (an approval, a review) holds then. The content is read only if a rule asks about it.

mod content;
mod error;
mod judge;

use std::fmt;

use crate::catalog::{Commit, Session, Status, View};
use crate::model::RootId;

use super::Context;
use super::error::Result;

pub use content::Content;
pub use error::GateError;
pub use judge::{Facts, Lack, Question, Read, applicable, judge, policy_of};

/// What is to happen to a session's work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is stored as a commit.
    Commit,
    /// It is merged into another session.
    Merge,
    /// It becomes a revision of its source.
    Promote,
    /// It is written back to the directory that the source came from, or anywhere outside of aether.
    Apply,
    /// The session is deleted.
    Delete,
    /// It is written as an archive, a patch or a commit of git; it has to be let apply, too.
    Export,
    /// Its tree is written to a plain directory, to be worked in.
    Materialize,
    /// Something that somebody else does, under a word of their own.
    Own(String),
}

impl Action {
    /// Those that this program does itself.
    pub const BUILT_IN: [Self; 7] =
        [Self::Commit, Self::Merge, Self::Promote, Self::Apply, Self::Delete, Self::Export, Self::Materialize];

    /// The stable word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Commit => "commit",
            Self::Merge => "merge",
            Self::Promote => "promote",
            Self::Apply => "apply",
            Self::Delete => "delete",
            Self::Export => "export",
            Self::Materialize => "materialize",
            Self::Own(word) => word,
        }
    }

    /// The action that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        let known = Self::BUILT_IN.into_iter().find(|action| action.word() == word);
        known.unwrap_or_else(|| Self::Own(word.to_owned()))
    }

    /// Whether this program does it itself.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        !matches!(self, Self::Own(_))
    }

    /// Whether it takes work out of the session, as it is.
    pub(crate) fn takes_work(&self) -> bool {
        matches!(self, Self::Commit | Self::Merge | Self::Promote | Self::Apply)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What an action is about: the state of a session.
#[derive(Clone, Debug)]
pub struct Work {
    /// The id of the session that it was done in, also when that is gone.
    pub session: String,
    /// Its name.
    pub name: String,
    /// The id of the source whose rules hold.
    pub source: Option<String>,
    /// The tree that it is compared with; `None`: nothing, from when the session was made.
    pub onto: Option<RootId>,
    /// When the session was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Its tree; `None`: the session as it is, which is sealed if a rule asks about it.
    pub root: Option<RootId>,
    /// Whether it is the session as it is, and not an earlier state of it.
    pub is_present: bool,
}

impl Work {
    /// A session as it is. `root` is its tree, if it is sealed.
    #[must_use]
    pub fn present(session: &Session, root: Option<RootId>) -> Self {
        Self {
            session: session.id.clone(),
            name: session.name.clone(),
            source: session.base.source.clone(),
            onto: session.base.onto,
            created_ns: session.created_ns,
            root,
            is_present: true,
        }
    }

    /// What was committed.
    #[must_use]
    pub fn committed(commit: &Commit) -> Self {
        Self {
            session: commit.session.clone(),
            name: commit.session_name.clone(),
            source: commit.source.clone(),
            onto: commit.base,
            created_ns: commit.created_ns,
            root: Some(commit.root),
            is_present: false,
        }
    }

    /// An earlier state of a session.
    #[must_use]
    pub fn earlier(session: &Session, root: RootId) -> Self {
        Self { is_present: false, ..Self::present(session, Some(root)) }
    }
}

/// An action that nothing forbade when it was looked at.
#[derive(Debug)]
#[must_use = "the transaction confirms it"]
pub struct Pass {
    action: Action,
    work: Work,
    now_ns: i64,
    /// The change set, if a rule or a decision speaks of it.
    facts: Option<Facts>,
}

/// Lets an action pass, or says what forbids it.
///
/// # Errors
/// [`GateError`], or what the catalog says.
pub fn pass(cx: &mut Context, action: Action, work: Work) -> Result<Pass> {
    let mut pass = Pass { action, work, now_ns: cx.now_ns, facts: None };
    // What can be refused without reading is.
    pass.check_status(cx.catalog()?.view())?;
    if pass.is_asked_about(cx.catalog()?.view())? {
        pass.facts = Some(Content::of(cx, &pass.work)?.facts());
    }
    pass.confirm(cx.catalog()?.view())?;
    Ok(pass)
}

impl Pass {
    /// Looks again, in the transaction in which the action happens.
    ///
    /// # Errors
    /// As [`pass`].
    pub fn confirm(&self, view: View<'_>) -> Result<()> {
        self.check_status(view)?;
        match &self.facts {
            Some(facts) => self.check_rules(view, facts),
            None if self.is_asked_about(view)? => {
                let (action, name) = (self.action.clone(), self.work.name.clone());
                Err(GateError::AskedMeanwhile { action, name }.into())
            }
            None => Ok(()),
        }
    }

    /// Whether anything depends on the content.
    fn is_asked_about(&self, view: View<'_>) -> Result<bool> {
        Ok(view.has_approvals(&self.work.session, self.action.word())?
            || self.work.source.as_deref().map(|source| view.policy(source)).transpose()?.flatten().is_some())
    }

    fn check_rules(&self, view: View<'_>, facts: &Facts) -> Result<()> {
        let question = Question {
            session: &self.work.session,
            name: &self.work.name,
            source: self.work.source.as_deref(),
            action: &self.action,
            facts,
            now_ns: self.now_ns,
        };
        let lacks = judge(view, &question)?;
        match lacks.is_empty() {
            true => Ok(()),
            false => {
                Err(GateError::Refused { action: self.action.clone(), name: self.work.name.clone(), lacks }.into())
            }
        }
    }

    fn check_status(&self, view: View<'_>) -> Result<()> {
        if !(self.action.takes_work() && self.work.is_present) {
            return Ok(());
        }
        let Some(session) = view.session_even_deleted(&self.work.session)? else { return Ok(()) };
        let (action, name) = (self.action.clone(), self.work.name.clone());
        match session.status {
            Status::Conflict => Err(GateError::InConflict { action, name }.into()),
            Status::Review => Err(GateError::InReview { action, name }.into()),
            Status::Active | Status::PendingApproval | Status::Archived => Ok(()),
        }
    }
}

/// What the status of a session has against an action on what it holds.
#[must_use]
pub fn status_lack(action: &Action, session: &Session) -> Option<Lack> {
    let name = session.name.clone();
    match session.status {
        _ if !action.takes_work() => None,
        Status::Conflict => Some(Lack::InConflict { name }),
        Status::Review => Some(Lack::InReview { name }),
        Status::Active | Status::PendingApproval | Status::Archived => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base, Catalog};
    use crate::ops::{Error, Kind};

    #[test]
    fn a_session_in_conflict_or_review_keeps_its_work_and_earlier_states_may_go() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let act = Act { actor: "ann".into(), command: "test".into(), now_ns: 1, seed: [1; 32] };
        catalog.write::<_, Error>(&act, |tx| Ok(tx.create_session("fix", &Base::default(), None)?)).unwrap();
        let fix = catalog.view().session("fix").unwrap();
        for status in Status::ALL {
            catalog.write::<_, Error>(&act, |tx| Ok(tx.set_session_status(&fix, status)?)).unwrap();
            for action in Action::BUILT_IN.into_iter().chain([Action::from_word("deploy")]) {
                let takes_work = matches!(action, Action::Commit | Action::Merge | Action::Promote | Action::Apply);
                let expected = match status {
                    Status::Conflict if takes_work => Some(Kind::Conflict),
                    Status::Review if takes_work => Some(Kind::Refused),
                    _ => None,
                };
                let confirm =
                    |work| Pass { action: action.clone(), work, now_ns: 1, facts: None }.confirm(catalog.view());
                let found = confirm(Work::present(&fix, None)).err().map(|error| error.kind());
                assert_eq!(found, expected, "{action} in {status:?}");
                let root = RootId(crate::model::ObjectId([1; 32]));
                assert!(confirm(Work::earlier(&fix, root)).is_ok(), "{action} in {status:?}");
            }
        }
    }

    #[test]
    fn a_word_is_an_action_and_the_other_way_round() {
        for action in Action::BUILT_IN {
            assert_eq!(Action::from_word(action.word()), action);
        }
        assert_eq!(Action::from_word("deploy"), Action::Own("deploy".into()));
    }
}
