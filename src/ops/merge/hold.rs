//! A session that is about to get another content, and nobody else may give it one meanwhile.

use crate::catalog::{Session, Tx};
use crate::model::{BytePath, RootId};
use crate::ops::error::Result;
use crate::ops::live::OpenSession;
use crate::ops::session_mount::{live_mount, run_dir};
use crate::ops::{Context, Error};

/// A session of which this process has hold.
#[derive(Debug)]
pub(super) struct Held {
    open: Box<OpenSession>,
}

impl Held {
    /// Takes hold of a session.
    ///
    /// # Errors
    /// It is mounted, or somebody has it open.
    pub(super) fn take(cx: &mut Context, session: &Session) -> Result<Self> {
        if let Some(record) = live_mount(&run_dir(cx)?, &session.id)? {
            return Err(Error::Mounted { name: session.name.clone(), at: record.mount_point });
        }
        Ok(Self { open: Box::new(cx.open_session(&session.id)?) })
    }

    /// Stores what the session holds now.
    ///
    /// # Errors
    /// It cannot be read, or the store not written.
    pub(super) fn seal(&self) -> Result<RootId> {
        Ok(self.open.seal(|| ())?)
    }

    /// Makes `target` what the session holds, in one transaction with `note`.
    ///
    /// # Errors
    /// What the catalog or the disk say; nothing happened then.
    pub(super) fn settle<T>(
        self,
        cx: &mut Context,
        session: &Session,
        target: RootId,
        _paths: &[BytePath],
        note: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let place = self.open.place;
        let is_other = target != place.root || !self.open.overlay.is_clean();
        let done = cx.write(|tx| {
            if is_other && !tx.settle_session(session, place.delta, target)? {
                return Err(Error::from(crate::ops::live::LiveError::InUse { id: session.id.clone() }));
            }
            note(tx)
        })?;
        if is_other {
            self.open.retire()?;
        }
        Ok(done)
    }
}
