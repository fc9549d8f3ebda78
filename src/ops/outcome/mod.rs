//! What a session would bring: its tracked changes at one moment, and the tree that they make of what it stands on.
//!
//! Committing, promoting, applying and exporting all begin here.

mod error;
pub mod message;
mod tree;

use crate::catalog::Session;
use crate::model::{ChangeSetHash, Root, RootId};
use crate::store::{Hold, Store};

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::live::LiveError;
use super::session_changes::{Compared, compare, scope};
use super::states::StateView;
use super::{Context, blank};

pub use error::OutcomeError;

/// What a session would bring.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The session.
    pub(super) session: Session,
    /// The tree that it stands on.
    pub(super) onto: RootId,
    /// Everything that it holds, scratch included.
    pub(super) state: RootId,
    /// Its tracked changes.
    pub(super) compared: Compared,
    /// The name of these.
    pub(super) change_set: ChangeSetHash,
    /// Keeps what was stored until a row names it.
    hold: Hold,
}

impl Outcome {
    /// What a session would bring if it stayed as it is now, mounted or not.
    ///
    /// # Errors
    /// The session cannot be read, or the store cannot be written.
    pub(super) fn of(cx: &mut Context, session: Session) -> Result<Self> {
        let hold = cx.store()?.hold()?;
        let state = seal_session(cx, &session)?.root;
        let onto = blank::onto_of(cx.store()?, &session)?;
        let scope = scope(cx, false, session.base.source.as_deref())?;
        let compared = compare(StateView::frozen(cx, onto)?.into(), StateView::frozen(cx, state)?.into(), &scope, &[])?;
        let change_set = compared.hash()?;
        Ok(Self { session, onto, state, compared, change_set, hold })
    }

    /// The tree that it stands on with the tracked changes, stored; it stays as long as this does, or a row names it.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(super) fn tree(&self, cx: &Context) -> Result<RootId> {
        tree::build(&self.hold, (self.onto, self.state), &self.compared.changes, super::merge::now(cx))
    }
}

/// The root of a tree.
pub(super) fn root(store: &Store, id: RootId) -> Result<Root> {
    Ok(store.root(id).map_err(LiveError::from)?)
}
