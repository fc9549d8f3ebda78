//! Looking at commits, and deleting them.

use std::collections::BTreeMap;

use crate::catalog::Commit;

use super::Context;
use super::commit_create::refuse_in_use;
use super::error::Result;

/// A commit, and what is known of it beside.
#[derive(Clone, Debug)]
pub struct CommitInfo {
    /// The commit.
    pub commit: Commit,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The name of its source, also when that is deleted.
    pub source_name: Option<String>,
}

/// Which commits.
#[derive(Clone, Debug, Default)]
pub enum Which {
    /// All that there are.
    #[default]
    All,
    /// The chain that the next commit of a session follows (the current one if none is named).
    ChainOf(Option<String>),
}

/// Commits, newest first.
///
/// # Errors
/// The session is not there, or what the catalog says.
pub fn list(cx: &mut Context, which: &Which) -> Result<Vec<CommitInfo>> {
    let commits = match which {
        Which::All => cx.catalog()?.view().commits()?,
        Which::ChainOf(session) => {
            let session = cx.resolve_session(session.as_deref())?;
            cx.catalog()?.view().commit_chain(session.head_commit.as_deref())?
        }
    };
    commits.into_iter().map(|commit| info(cx, commit)).collect()
}

/// One commit, by its id or a unique prefix of it.
///
/// # Errors
/// It is not there.
pub fn show(cx: &mut Context, key: &str) -> Result<CommitInfo> {
    let commit = cx.catalog()?.view().commit(key)?;
    info(cx, commit)
}

/// Moves commits to the trash, all or none. What stands on one keeps its content, so `force` takes nothing from it.
///
/// # Errors
/// One is not there, or [`OutcomeError::CommitInUse`](super::outcome::OutcomeError::CommitInUse) unless `force`.
pub fn delete(cx: &mut Context, keys: &[String], force: bool) -> Result<Vec<CommitInfo>> {
    let mut found: Vec<CommitInfo> = Vec::new();
    for key in keys {
        let info = show(cx, key)?;
        if !force {
            refuse_in_use(cx, Some(&info.commit))?;
        }
        // Named twice, it goes once.
        if !found.iter().any(|other| other.commit.id == info.commit.id) {
            found.push(info);
        }
    }
    cx.write(|tx| {
        for info in &found {
            let commit = tx.view().commit(&info.commit.id)?;
            tx.delete_commit(&commit.id)?;
        }
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn info(cx: &mut Context, commit: Commit) -> Result<CommitInfo> {
    let view = cx.catalog()?.view();
    let tags = view.tags(&commit.id)?;
    let source_name =
        commit.source.as_deref().map(|id| view.source_by_id(id)).transpose()?.flatten().map(|source| source.name);
    Ok(CommitInfo { commit, tags, source_name })
}
