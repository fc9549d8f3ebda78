//! Looking at checkpoints, and what can be done to one: another name, or its end.

use crate::catalog::{Checkpoint, Session};

use super::error::Result;
use super::{Context, reserve};

/// The checkpoints of a session (the current one if none is named), newest first.
///
/// # Errors
/// The session is not there, or what the catalog says.
pub fn list(cx: &mut Context, session: Option<&str>) -> Result<(Session, Vec<Checkpoint>)> {
    let session = cx.resolve_session(session)?;
    let checkpoints = cx.catalog()?.view().checkpoints(&session.id)?;
    Ok((session, checkpoints))
}

/// The checkpoints of all sessions, oldest first.
///
/// # Errors
/// What the catalog says.
pub fn all(cx: &mut Context) -> Result<Vec<(Session, Checkpoint)>> {
    let view = cx.catalog()?.view();
    let sessions = view.sessions()?;
    let owned = view.all_checkpoints()?.into_iter().filter_map(|checkpoint| {
        let session = sessions.iter().find(|session| session.id == checkpoint.session)?;
        Some((session.clone(), checkpoint))
    });
    Ok(owned.collect())
}

/// One checkpoint.
///
/// # Errors
/// It is not there, or what the catalog says.
pub fn show(cx: &mut Context, text: &str) -> Result<(Session, Checkpoint)> {
    cx.resolve_checkpoint(text)
}

/// Gives a checkpoint a name.
///
/// # Errors
/// It is not there, or the name is wrong or taken.
pub fn rename(cx: &mut Context, text: &str, name: &str) -> Result<(Session, Checkpoint)> {
    let (session, checkpoint) = show(cx, text)?;
    let checkpoint = cx.write(|tx| {
        tx.rename_checkpoint(&checkpoint, name)?;
        Ok(tx.view().checkpoint_by_id(&checkpoint.id)?)
    })?;
    Ok((session, checkpoint))
}

/// Deletes checkpoints, all or none.
///
/// # Errors
/// One is not there.
pub fn delete(cx: &mut Context, texts: &[String]) -> Result<Vec<(Session, Checkpoint)>> {
    let found = texts.iter().map(|text| show(cx, text)).collect::<Result<Vec<_>>>()?;
    reserve::lend(&cx.paths.data);
    cx.write(|tx| {
        for (_, checkpoint) in &found {
            // Named twice, it is gone the second time.
            if tx.view().checkpoint_by_id(&checkpoint.id).is_ok() {
                tx.delete_checkpoint(checkpoint)?;
            }
        }
        Ok(())
    })?;
    Ok(found)
}
