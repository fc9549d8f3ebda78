//! Looking at sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::catalog::{HealthNow, Session};

use crate::daemon;
pub use crate::daemon::MountState;

use super::error::Result;
use super::session_mount::{is_own, run_dir};
use super::{Context, approval, mounts};

/// A session and what is known about it without opening it.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The session.
    pub session: Session,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The newest result of its tests, of whatever content that speaks; `None`: nobody reported one.
    pub health: Option<HealthNow>,
    /// Where it is mounted.
    pub mounts: Vec<PathBuf>,
    /// Which processes serve these mounts, where that was looked up.
    pub serving: Vec<Serving>,
    /// Who it comes from and who comes from it, where that was looked up.
    pub lineage: Lineage,
}

impl SessionInfo {
    /// The word for its health: `unknown`, `passing` or `failing`.
    #[must_use]
    pub fn health_word(&self) -> &'static str {
        match &self.health {
            None => "unknown",
            Some(newest) if newest.is_passing => "passing",
            Some(_) => "failing",
        }
    }
}

/// Who serves a mount.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The mount point.
    pub mount_point: PathBuf,
    /// What became of the mount.
    pub state: MountState,
    /// The process that serves it.
    pub pid: u32,
    /// The one that starts another in its place, if that one lives.
    pub keeper: Option<u32>,
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
    approval::lapse(cx)?;
    let mounted = mounts::table()?;
    let mut places = mounts::by_session(&mounted, &mounts::of_others(cx, &mounted)?);
    let view = cx.catalog()?.view();
    let (mut tags, mut health) = (view.all_tags()?, view.health_now()?);
    let info = |session: Session| SessionInfo {
        tags: tags.remove(&session.id).unwrap_or_default(),
        health: health.remove(&session.id),
        mounts: places.remove(session.id.as_str()).unwrap_or_default(),
        serving: Vec::new(),
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
    let newest = view.health(&session.id, 1)?.pop();
    let health = newest.map(|found| HealthNow {
        is_passing: found.result.is_passing,
        time_ns: found.time_ns,
        actor: found.actor,
    });
    let parent_name = match &session.parent {
        Some(id) => view.session_name(id)?,
        None => None,
    };
    let forks = view.forks(&session.id)?;
    let lineage = Lineage { parent_name, forks, checkpoints: view.checkpoints(&session.id)?.len() };
    let table = mounts::table()?;
    let mounts = mounts::of_session(&table, &mounts::of_others(cx, &table)?, &session.id);
    let serving = serving(cx, &session.id)?;
    Ok(SessionInfo { session, tags, health, mounts, serving, lineage })
}

/// What the records of mounts say of a session.
fn serving(cx: &Context, id: &str) -> Result<Vec<Serving>> {
    // Looking makes no directories.
    if !cx.paths.runtime.is_dir() {
        return Ok(Vec::new());
    }
    let records = daemon::mounts(&run_dir(cx)?)?;
    let own = records.into_iter().filter(|(record, _)| record.tag == id && is_own(cx, record));
    Ok(own
        .map(|(record, state)| Serving {
            state,
            pid: record.process.pid,
            keeper: record.keeper.as_ref().filter(|_| record.is_kept()).map(|keeper| keeper.pid),
            mount_point: record.mount_point,
        })
        .collect())
}
