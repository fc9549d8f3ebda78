//! A session that is about to get another content.
//!
//! One that is not mounted is held by this process meanwhile: its content, the checkpoint of what it was and what is noted
//! of the merge change in one transaction. One that is mounted is changed by its mount process, and programs go on: what
//! it was is a checkpoint before, and the merge is noted when it has happened. So a merge that was cut short is merged
//! again, and finds little to do.

use serde_json::json;

use crate::catalog::{CheckpointKind, NewCheckpoint, Session, Tx};
use crate::model::{BytePath, RootId};
use crate::ops::checkpoint_create::seal_session;
use crate::ops::checkpoint_restore::to_root;
use crate::ops::error::Result;
use crate::ops::live::{LiveError, OpenSession};
use crate::ops::session_mount::{live_mount, run_dir};
use crate::ops::{Context, Error};

use super::trees::root as root_of;

/// A session whose content is to change.
#[derive(Debug)]
pub(super) enum Held {
    /// This process has it open.
    Own(Box<OpenSession>),
    /// A mount process serves it.
    Mounted,
}

/// What a session is to become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// What it holds now, as it was sealed.
    pub(super) present: RootId,
    /// What it is to hold.
    pub(super) target: RootId,
    /// Where these differ; without any, anywhere.
    pub(super) paths: &'a [BytePath],
    /// The word for why.
    pub(super) reason: &'a str,
}

impl Held {
    /// Takes hold of a session.
    ///
    /// # Errors
    /// Another command has it open, or it cannot be read.
    pub(super) fn take(cx: &mut Context, session: &Session) -> Result<Self> {
        match live_mount(cx, &run_dir(cx)?, &session.id)? {
            Some(_) => Ok(Self::Mounted),
            None => Ok(Self::Own(Box::new(cx.open_session_soon(&session.id)?))),
        }
    }

    /// Whether programs see the session, so that it changes before the catalog does.
    pub(super) fn is_mounted(&self) -> bool {
        matches!(self, Self::Mounted)
    }

    /// Stores what the session holds now.
    ///
    /// # Errors
    /// It cannot be read, or the store not written.
    pub(super) fn seal(&self, cx: &mut Context, session: &Session) -> Result<RootId> {
        match self {
            Self::Own(open) => Ok(open.seal(|| ())?),
            Self::Mounted => Ok(seal_session(cx, session)?.root),
        }
    }

    /// Changes the session, makes a checkpoint of what it was if that is something else, and notes why. Returns the
    /// number of the checkpoint.
    ///
    /// # Errors
    /// What the catalog, the disk or the mount process say.
    pub(super) fn settle(
        self,
        cx: &mut Context,
        session: &Session,
        change: Change<'_>,
        note: impl FnOnce(&mut Tx<'_>) -> Result<()>,
    ) -> Result<Option<u64>> {
        let open = match self {
            Self::Own(open) => open,
            Self::Mounted if change.target == change.present => return cx.write(|tx| note(tx).map(|()| None)),
            Self::Mounted => {
                let (before, _) = to_root(cx, session, change.target, change.paths, change.reason)?;
                cx.write(|tx| {
                    // It is undone with the merge.
                    tx.absorb_checkpoint(&before.id)?;
                    tell(tx, session, before.number)?;
                    note(tx)
                })?;
                return Ok(Some(before.number));
            }
        };
        let place = open.place;
        let is_other = change.target != place.root || !open.overlay.is_clean();
        let totals = root_of(open.overlay.lower(), change.present)?.totals;
        let before = cx.write(|tx| {
            if is_other && !tx.settle_session(session, place.delta, change.target)? {
                return Err(Error::from(LiveError::InUse { id: session.id.clone() }));
            }
            let before = match change.target == change.present {
                true => None,
                false => Some(keep(tx, session, change, totals)?),
            };
            note(tx).map(|()| before)
        })?;
        if is_other {
            open.retire()?;
        }
        Ok(before)
    }
}

/// Makes the checkpoint of what a session was.
fn keep(tx: &mut Tx<'_>, session: &Session, change: Change<'_>, totals: crate::model::Totals) -> Result<u64> {
    let (kind, reason) = (CheckpointKind::Auto, Some(change.reason.to_owned()));
    let new = NewCheckpoint { root: change.present, totals, name: None, message: String::new(), kind, reason };
    let id = tx.create_checkpoint(&session.id, &new)?;
    let number = tx.view().checkpoint_by_id(&id)?.number;
    tell(tx, session, number)?;
    Ok(number)
}

/// Tells undo that the content of a session changed.
fn tell(tx: &mut Tx<'_>, session: &Session, checkpoint: u64) -> Result<()> {
    Ok(tx.note(&json!({ "kind": "restore", "session": session.id, "checkpoint": checkpoint }))?)
}
