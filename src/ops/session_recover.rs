//! Bringing a session back whose journal is damaged: its last state that is known to have been, and what else can be read.
//!
//! Nothing is deleted: before anything else, all files of the damaged delta get second names in the directory `damaged` of
//! the data directory. Killed at any point, the session is as damaged as it was, or it is back.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::catalog::{CheckpointKind, NewCheckpoint, ObjectType};
use crate::delta::DeltaError;
pub use crate::delta::Gap;
use crate::disk::{Disk, RealDisk};
use crate::model::BytePath;

use super::accelerate::UpperDir;
use super::error::Result;
use super::live::{self, DamagedSession, LiveError};
use super::session_archive::refuse_archived;
use super::{Context, Error, Session, blank};

/// What was done, or would be.
#[derive(Clone, Debug)]
pub enum Recovery {
    /// The session is not damaged.
    Sound(Box<Session>),
    /// It was.
    Damaged(Box<Recovered>),
}

/// A session that was damaged.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The session.
    pub session: Session,
    /// Its journal.
    pub journal: PathBuf,
    /// Entries of the journal before the damage: the session's state is what these say.
    pub whole: u64,
    /// Readable entries behind the damage.
    pub later: u64,
    /// Parts of the journal that cannot be read.
    pub gaps: Vec<Gap>,
    /// Whether there is a state in the journal; otherwise the session is as its base again.
    pub has_state: bool,
    /// Files that are empty now, because their data cannot be read either.
    pub emptied: Vec<BytePath>,
    /// Files made behind the damage that are whole.
    pub rescued: Vec<BytePath>,
    /// The number of the checkpoint that has these files beside the session's state.
    pub checkpoint: Option<u64>,
    /// Where the damaged files are kept; `None` if nothing was done.
    pub kept: Option<PathBuf>,
}

/// Recovers a session that nobody has open; with `dry_run` only says what would come of it.
///
/// # Errors
/// It is not there, archived or in use; the store or the disk fails. What is damaged stays as it was then.
pub fn run(cx: &mut Context, key: Option<&str>, dry_run: bool) -> Result<Recovery> {
    let session = cx.resolve_session(key)?;
    refuse_archived(&session)?;
    match cx.open_session_soon(&session.id) {
        Ok(_) => return Ok(Recovery::Sound(Box::new(session))),
        Err(Error::Live(LiveError::Delta(DeltaError::Damaged { .. }))) => {}
        Err(error) => return Err(error),
    }
    let damaged = read(cx, &session)?;
    let mut recovered = report(&session, &damaged);
    if !dry_run {
        let delta = live::delta_dir(&live::session_dir(&cx.paths.data, &session.id), damaged.place.delta);
        let kept = keep(cx, &session.id, &delta)?;
        keep_upper(&delta, damaged.place.delta, &kept)?;
        recovered.kept = Some(kept);
        recovered.checkpoint = put_back(cx, &session, &damaged, &recovered)?;
    }
    Ok(Recovery::Damaged(Box::new(recovered)))
}

fn read(cx: &mut Context, session: &Session) -> Result<DamagedSession> {
    let store = Arc::new(cx.store()?.clone());
    let data_dir = cx.paths.data.clone();
    let catalog = cx.catalog()?;
    let base = || Ok::<_, Error>(blank::base_of(&store, &catalog.view().session(&session.id)?)?);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    live::read_damaged(&disk, &data_dir, &session.id, &store, base)
}

fn report(session: &Session, damaged: &DamagedSession) -> Recovered {
    let found = &damaged.found;
    Recovered {
        session: session.clone(),
        journal: found.log.clone(),
        whole: found.whole,
        later: found.later,
        gaps: found.gaps.clone(),
        has_state: found.has_state,
        emptied: damaged.before.emptied.clone(),
        rescued: damaged.after.as_ref().map(|after| after.rescued.clone()).unwrap_or_default(),
        checkpoint: None,
        kept: None,
    }
}

/// Gives all files of a delta second names, durably.
fn keep(cx: &Context, id: &str, delta: &Path) -> Result<PathBuf> {
    let above = cx.paths.data.join("damaged");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Io { path, source }
    };
    let make = |dir: &Path| fs::DirBuilder::new().mode(0o700).create(dir);
    match make(&above) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(&above)(error)),
        _ => {}
    }
    let seconds = cx.now_ns.div_euclid(1_000_000_000);
    let mut dir = above.join(format!("{id}-{seconds}"));
    let mut more = 1;
    while let Err(error) = make(&dir) {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(failed(&dir)(error));
        }
        more += 1;
        dir = above.join(format!("{id}-{seconds}-{more}"));
    }
    for entry in fs::read_dir(delta).map_err(failed(delta))? {
        let path = entry.map_err(failed(delta))?.path();
        let name = path.file_name().unwrap_or_default();
        fs::hard_link(&path, dir.join(name)).map_err(failed(&path))?;
    }
    for dir in [&dir, &above, &cx.paths.data] {
        RealDisk.sync_dir(dir).map_err(failed(dir))?;
    }
    Ok(dir)
}

/// What an overlay wrote on top of the delta that is damaged fits nothing any more. It is kept, too.
fn keep_upper(delta: &Path, number: u64, kept: &Path) -> Result<()> {
    let upper = UpperDir::of(delta.parent().unwrap_or(delta), number);
    if upper.is_there() {
        let failed = |source| Error::Io { path: upper.path().to_owned(), source };
        fs::rename(upper.path(), kept.join("upper")).map_err(failed)?;
        RealDisk.sync_dir(kept).map_err(failed)?;
    }
    Ok(())
}

/// Puts the session on what could be read of it. Returns the number of the checkpoint with what is more.
fn put_back(
    cx: &mut Context,
    session: &Session,
    damaged: &DamagedSession,
    recovered: &Recovered,
) -> Result<Option<u64>> {
    let hold = cx.store()?.hold()?;
    let root = damaged.before.store(&hold)?;
    let after = damaged.after.as_ref().map(|after| after.store(&hold)).transpose()?;
    let new = match after {
        None => None,
        Some(root) => Some(NewCheckpoint {
            root,
            totals: cx.store()?.root(root).map_err(LiveError::from)?.totals,
            name: None,
            message: "files that were made behind the damage, beside the state before it".into(),
            kind: CheckpointKind::Auto,
            reason: Some("recover".into()),
        }),
    };
    let lost: u64 = recovered.gaps.iter().map(|gap| gap.upto - gap.from).sum();
    let details = json!({
        "name": session.name,
        "whole": recovered.whole,
        "later": recovered.later,
        "lost_bytes": lost,
        "rescued": recovered.rescued.len(),
        "emptied": recovered.emptied.len(),
    });
    let id = cx.write(|tx| {
        tx.event("session.recover", ObjectType::Session, &session.id, &details)?;
        Ok(new.as_ref().map(|new| tx.create_checkpoint(&session.id, new)).transpose()?)
    })?;
    // From here on the session is back; what it was is litter that the next one who opens it removes.
    if !cx.fold_session(&session.id, damaged.place.delta, root)? {
        return Err(Error::Live(LiveError::InUse { id: session.id.clone() }));
    }
    Ok(match id {
        Some(id) => Some(cx.catalog()?.view().checkpoint_by_id(&id)?.number),
        None => None,
    })
}
