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
    let tags = cx.catalog()?.view().tags(&session.id)?;
    let mounts = mounts::of_session(&mounts::table()?, &session.id);
    Ok(SessionInfo { session, tags, mounts })
}
