//! What a hook sees: a state of a session, as a directory to work in.
//!
//! A frozen tree is mounted read-only for as long as the hook runs. Where nothing can be mounted it is written to a
//! directory of the data directory, which is removed afterwards. What a process left that was killed is cleaned up by the
//! next one.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::daemon::{self, MountRecord, RunDir};
use crate::fuse::How;
use crate::model::RootId;
use crate::ops::error::Result;
use crate::ops::session_mount::{self, run_dir};
use crate::ops::{Context, Error, materialize};
use crate::store::Hold;

/// What tags and directories of views begin with; then come the process and a number.
const PREFIX: &str = "hook-";

/// A state as a directory.
#[derive(Debug)]
pub struct View {
    dir: PathBuf,
    kind: Kind,
    /// Keeps the tree, which no row may name yet.
    _hold: Option<Hold>,
}

#[derive(Debug)]
enum Kind {
    /// Somebody else's mount.
    Given,
    /// A mount of our own, with this tag.
    Mounted(RunDir, String),
    /// A copy of our own.
    Copied,
}

impl View {
    /// A directory that is there anyway.
    pub(super) fn given(dir: PathBuf) -> Self {
        Self { dir, kind: Kind::Given, _hold: None }
    }

    /// A frozen tree.
    ///
    /// # Errors
    /// It can neither be mounted nor written.
    pub(super) fn of(cx: &mut Context, root: RootId) -> Result<Self> {
        let hold = cx.store()?.hold()?;
        clean(cx);
        let tag = format!("{PREFIX}{}-{}", std::process::id(), number());
        if let Some(server) = cx.hooks.server.clone() {
            let run = run_dir(cx)?;
            let dir = run.join("hooks").join(&tag);
            make(&dir)?;
            match session_mount::mount_view(cx, (root, &tag), &dir, &server) {
                Ok(()) => return Ok(Self { dir, kind: Kind::Mounted(run, tag), _hold: Some(hold) }),
                // Without FUSE there is a copy.
                Err(_) => drop(fs::remove_dir(&dir)),
            }
        }
        let dir = copies(cx).join(&tag);
        make(&dir)?;
        let view = Self { dir, kind: Kind::Copied, _hold: Some(hold.clone()) };
        materialize::write_view(cx, &hold, root, &view.dir)?;
        Ok(view)
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for View {
    fn drop(&mut self) {
        match &self.kind {
            Kind::Given => {}
            Kind::Mounted(run, tag) => {
                let ours = daemon::mounts(run).into_iter().flatten().map(|(record, _)| record);
                ours.filter(|record| record.tag == *tag).for_each(|record| unmount(&record));
                let _gone = fs::remove_dir(&self.dir);
            }
            Kind::Copied => drop(materialize::remove(&self.dir)),
        }
    }
}

/// A directory for one view, and what is above it.
fn make(dir: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| Error::Io { path: dir.to_owned(), source })
}

fn copies(cx: &Context) -> PathBuf {
    cx.paths.data.join("views")
}

/// Numbers the views of this process.
fn number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Takes a view away. Whoever a hook left behind in it keeps what it has open.
fn unmount(record: &MountRecord) {
    let _best_effort = daemon::unmount(record, How::Lazy, std::time::Duration::ZERO);
    // It tells nobody anything that a hook did not.
    let _gone = fs::remove_file(&record.log);
}

/// Takes away what killed processes left. What cannot be taken away now is left to the next one.
fn clean(cx: &Context) {
    let owner = |name: &str| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok();
    let is_dead = |name: &str| owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
    if let Ok(run) = run_dir(cx) {
        let left = daemon::mounts(&run).into_iter().flatten().map(|(record, _)| record);
        left.filter(|record| record.data_dir == cx.paths.data && is_dead(&record.tag))
            .for_each(|record| unmount(&record));
    }
    for entry in fs::read_dir(copies(cx)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_dead) {
            let _next_time = materialize::remove(&entry.path());
        }
    }
}
