//! Deleting a source.

use super::error::Result;
use super::source_list::{SourceInfo, show};
use super::{Context, Error, reserve};

/// Moves a source to the trash, with its revisions. Sessions on it hold their own base, so `force` takes nothing from them.
///
/// # Errors
/// [`Error::SourceInUse`] unless `force`; or it is not there.
pub fn run(cx: &mut Context, key: &str, force: bool) -> Result<SourceInfo> {
    let info = show(cx, key)?;
    reserve::lend(&cx.paths.data);
    cx.write(|tx| {
        let source = tx.view().source(&info.source.id)?;
        let sessions = tx.view().sessions_on(&source.id)?;
        if !force && !sessions.is_empty() {
            let sessions = sessions.into_iter().map(|session| session.name).collect();
            return Err(Error::SourceInUse { name: source.name, sessions });
        }
        Ok(tx.delete_source(&source)?)
    })?;
    Ok(info)
}
