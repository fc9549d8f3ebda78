//! Looking at sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::catalog::Session;

use super::error::Result;
use super::{Context, mounts};

/// A session and what is known about it without opening it.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The session.
    pub session: Session,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Where it is mounted.
    pub mounts: Vec<PathBuf>,
    /// Who it comes from and who comes from it, where that was looked up.
    pub lineage: Lineage,
}

/// The relatives of a session.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// The name of the session it was forked from, also when that is deleted.
    pub parent_name: Option<String>,
    /// The names of its forks.
    pub forks: Vec<String>,
    /// How many checkpoints it has.
    pub checkpoints: usize,
}

/// All sessions, by name.
///
/// # Errors
/// What the catalog says.
pub fn list(cx: &mut Context) -> Result<Vec<SessionInfo>> {
    let view = cx.catalog()?.view();
    let mut tags = view.all_tags()?;
    let mounted = mounts::table()?;
    let info = |session: Session| SessionInfo {
        tags: tags.remove(&session.id).unwrap_or_default(),
        mounts: mounts::of_session(&mounted, &session.id),
        lineage: Lineage::default(),
        session,
    };
    Ok(view.sessions()?.into_iter().map(info).collect())
}

/// One session: that which is named, else the current one.
///
/// # Errors
/// [`NoSession`](super::Error::NoSession), or what the catalog says.
pub fn show(cx: &mut Context, key: Option<&str>) -> Result<SessionInfo> {
    let session = cx.resolve_session(key)?;
    let view = cx.catalog()?.view();
    let tags = view.tags(&session.id)?;
    let parent_name = match &session.parent {
        Some(id) => view.session_name(id)?,
        None => None,
    };
    let forks = view.forks(&session.id)?;
    let lineage = Lineage { parent_name, forks, checkpoints: view.checkpoints(&session.id)?.len() };
    let mounts = mounts::of_session(&mounts::table()?, &session.id);
    Ok(SessionInfo { session, tags, mounts, lineage })
}
