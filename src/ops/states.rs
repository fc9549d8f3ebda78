//! Any state that can be named, as a tree to look at: a session as it is, a checkpoint, a revision, a commit.

use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Session;
use crate::model::{BytePath, Root, RootId};
use crate::overlay::{Error as ReadError, SnapshotBody, SnapshotDir, SnapshotEntry, Whence};
use crate::store::Store;

use super::changes::{Frozen, TreeView};
use super::checkpoint_create::{LOOKS, PATIENCE};
use super::error::Result;
use super::live::{LiveError, SessionView};
use super::names::{self, Named};
use super::session_mount::{live_mount, run_dir};
use super::{Context, Error, blank};

/// Links that are followed on the way to one file.
const MAX_LINKS: usize = 40;

/// A state that is open for reading.
#[derive(Debug)]
pub struct StateView {
    tree: Tree,
    /// Where the session is mounted, if it is one and a living process serves it.
    pub mount: Option<PathBuf>,
}

#[derive(Debug)]
enum Tree {
    Live(Box<SessionView>),
    Frozen { store: Arc<Store>, root: Box<Root> },
}

impl StateView {
    /// Opens what was named.
    ///
    /// # Errors
    /// The session or the store cannot be read.
    pub fn open(cx: &mut Context, named: &Named) -> Result<Self> {
        match named {
            Named::Session(session) => Self::session(cx, session),
            Named::Checkpoint(_, checkpoint) => Self::frozen(cx, checkpoint.root),
            Named::Revision(_, revision) => Self::frozen(cx, revision.root),
            Named::Commit(commit) => Self::frozen(cx, commit.root),
        }
    }

    /// A session as it is at this moment.
    ///
    /// # Errors
    /// As [`StateView::open`].
    pub fn session(cx: &mut Context, session: &Session) -> Result<Self> {
        let run = run_dir(cx)?;
        let store = Arc::new(cx.store()?.clone());
        let onto = store.root(blank::onto_of(&store, session)?).map_err(LiveError::from)?;
        let mut look = 0;
        loop {
            let record = live_mount(cx, &run, &session.id)?;
            let view = match &record {
                Some(record) => SessionView::remote(&run, record, store.clone(), onto.clone()).map_err(Error::from),
                None => SessionView::own(cx, &session.id, store.clone(), onto.clone()),
            };
            look += 1;
            match view {
                // It is being mounted or unmounted, or another command looks at it.
                Err(error) if look < LOOKS && matches!(error.code(), "session-in-use" | "control-unreachable") => {
                    std::thread::sleep(PATIENCE);
                }
                other => {
                    let mount = record.map(|record| record.mount_point);
                    return Ok(Self { tree: Tree::Live(Box::new(other?)), mount });
                }
            }
        }
    }

    /// What a session is compared with.
    ///
    /// # Errors
    /// As [`StateView::open`].
    pub fn onto(cx: &mut Context, session: &Session) -> Result<Self> {
        let root = blank::onto_of(cx.store()?, session)?;
        Self::frozen(cx, root)
    }

    /// The frozen tree with this root.
    ///
    /// # Errors
    /// As [`StateView::open`].
    pub fn frozen(cx: &mut Context, root: RootId) -> Result<Self> {
        let store = Arc::new(cx.store()?.clone());
        let root = Box::new(store.root(root).map_err(LiveError::from)?);
        Ok(Self { tree: Tree::Frozen { store, root }, mount: None })
    }

    /// The entry at a path. Symbolic links on the way are followed as far as they stay in the tree, one at its end too
    /// if `follow` says so.
    ///
    /// # Errors
    /// The tree cannot be read.
    pub fn find(&self, path: &BytePath, follow: bool) -> Result<Option<(BytePath, SnapshotEntry)>> {
        let mut todo: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut way = vec![(BytePath::root(), self.root().map_err(LiveError::from)?)];
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                way.truncate(way.len().saturating_sub(1).max(1));
                continue;
            }
            let Some((at, SnapshotEntry { body: SnapshotBody::Dir(dir), .. })) = way.last() else { return Ok(None) };
            let entries = self.list(*dir).map_err(LiveError::from)?;
            let found = entries.into_iter().find(|entry| entry.name.as_bytes() == name);
            let Some(found) = found else { return Ok(None) };
            match &found.body {
                SnapshotBody::Symlink(target) if follow || !todo.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS || target.first() == Some(&b'/') {
                        return Ok(None);
                    }
                    let parts = target.split(|&byte| byte == b'/').rev();
                    todo.extend(parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec));
                }
                _ => {
                    let at = at.join(&found.name);
                    way.push((at, found));
                }
            }
        }
        Ok(way.pop())
    }

    fn view(&self) -> (Option<&SessionView>, Option<Frozen<'_>>) {
        match &self.tree {
            Tree::Live(view) => (Some(view), None),
            Tree::Frozen { store, root } => (None, Some(Frozen::new(&**store, root))),
        }
    }
}

impl TreeView for StateView {
    fn root(&self) -> std::result::Result<SnapshotEntry, ReadError> {
        match self.view() {
            (Some(live), _) => live.root(),
            (_, Some(frozen)) => frozen.root(),
            _ => Err(ReadError::Stale),
        }
    }

    fn list(&self, dir: SnapshotDir) -> std::result::Result<Vec<SnapshotEntry>, ReadError> {
        match self.view() {
            (Some(live), _) => live.list(dir),
            (_, Some(frozen)) => frozen.list(dir),
            _ => Err(ReadError::Stale),
        }
    }

    fn read(&self, file: &SnapshotEntry, offset: u64, buf: &mut [u8]) -> std::result::Result<usize, ReadError> {
        match self.view() {
            (Some(live), _) => live.read(file, offset, buf),
            (_, Some(frozen)) => frozen.read(file, offset, buf),
            _ => Err(ReadError::Stale),
        }
    }

    fn seek(&self, file: &SnapshotEntry, offset: u64, what: Whence) -> std::result::Result<Option<u64>, ReadError> {
        match self.view() {
            (Some(live), _) => live.seek(file, offset, what),
            (_, Some(frozen)) => frozen.seek(file, offset, what),
            _ => Err(ReadError::Stale),
        }
    }
}

/// What a text stands for; `@` and `@3` speak of the current session.
///
/// # Errors
/// As [`names::resolve`].
pub fn resolve(cx: &mut Context, text: &str) -> Result<Named> {
    let current = cx.current(text)?;
    names::resolve(cx.catalog()?.view(), text, current.as_ref())
}

/// A state and a path in it, from `STATE:PATH`; without a colon it is the root of the state.
///
/// # Errors
/// [`Error::BadPath`], or what the catalog says.
pub fn resolve_path(cx: &mut Context, bytes: &[u8]) -> Result<(Named, BytePath)> {
    use std::os::unix::ffi::OsStrExt;
    let colon = bytes.iter().position(|&byte| byte == b':');
    let (state, path) = colon.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let bad = |why| Error::BadPath { path: std::ffi::OsStr::from_bytes(path).into(), why };
    let path = BytePath::parse(path).map_err(bad)?;
    Ok((resolve(cx, &String::from_utf8_lossy(state))?, path))
}
