//! What git asks of a file system monitor: which paths may have changed since a token (githooks(5), `fsmonitor-watchman`,
//! version 2).
//!
//! A session knows what differs from the frozen tree that its delta lies on: by name, by inode and by attributes, without
//! reading a file. What may differ since a token is what differed then and what differs now, so that a path is also named
//! when it went back to what it was; all else was the frozen tree's then and is so now. What differed is kept under the
//! token, which is made of it. Whatever is not known for sure is answered by `/`: look at everything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{BytePath, Kind};
use crate::overlay::{Error as ReadError, SnapshotBody, SnapshotDir, SnapshotEntry};

use super::changes::TreeView;
use super::error::Result;
use super::import::ImportError;
use super::live::{LiveError, SessionView};
use super::session_mount::{live_mount, run_dir};
use super::{Context, Error, blank, mounts};

/// So many tokens of a working directory are remembered.
const REMEMBERED: usize = 8;

/// The most paths to name; with more, git had better look at everything.
const MAX_PATHS: usize = 20_000;

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For git to ask with the next time.
    pub token: String,
    /// Paths below the working directory, a directory with a slash at its end. `None`: any.
    pub paths: Option<BTreeSet<Vec<u8>>>,
}

impl Answer {
    /// The bytes that git reads.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = [self.token.as_bytes(), b"\0"].concat();
        match &self.paths {
            None => out.extend(b"/\0"),
            Some(paths) => paths.iter().for_each(|path| out.extend([path.as_slice(), b"\0"].concat())),
        }
        out
    }
}

/// Answers for the working directory, which is that of a work tree in a session's mount.
///
/// # Errors
/// The working directory is in no session; the session cannot be looked at. Whoever asks may take that for `/`.
pub fn run(cx: &mut Context, token: &str) -> Result<Answer> {
    let cwd = cx.cwd.clone().ok_or(Error::NoSession)?;
    let (id, below) = place(&cwd)?;
    let (differs, stand) = differing(cx, &id, &below)?;
    let Some(differs) = differs else { return Ok(Answer { token: String::new(), paths: None }) };

    let memory = Memory::of(cx, &id, &below)?;
    let header = format!("{stand}\0").into_bytes();
    let kept = [header.clone(), differs.iter().flat_map(|path| [path.as_slice(), b"\0"].concat()).collect()].concat();
    let now = format!("aether:{}", blake3::hash(&kept).to_hex());
    let before = memory.recall(token).and_then(|kept| kept.strip_prefix(header.as_slice()).map(<[u8]>::to_vec));
    memory.keep(&now, &kept)?;
    let paths = before.map(|before| {
        let then = before.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec);
        then.chain(differs).collect()
    });
    Ok(Answer { token: now, paths })
}

/// The session whose mount holds a directory, and the path of it in there.
fn place(dir: &Path) -> Result<(String, BytePath)> {
    use std::os::unix::ffi::OsStrExt;
    let table = mounts::table()?;
    let entry = table.containing(dir).ok_or(Error::NoSession)?;
    let id = entry.tag().ok_or(Error::NoSession)?.to_owned();
    let below = dir.strip_prefix(&entry.mount_point).map_err(|_| Error::NoSession)?;
    Ok((id, BytePath::parse(below.as_os_str().as_bytes()).map_err(|_| Error::NoSession)?))
}

/// The paths below a directory that differ from the tree that the delta lies on, and a text that names that tree and the
/// delta. No paths if they are too many, or the session was put on another tree meanwhile.
fn differing(cx: &mut Context, id: &str, below: &BytePath) -> Result<(Option<BTreeSet<Vec<u8>>>, String)> {
    let session = cx.catalog()?.view().session(id)?;
    let store = Arc::new(cx.store()?.clone());
    let place = blank::base_of(&store, &session)?;
    let base = store.root(place.root).map_err(LiveError::from)?;
    let stand = format!("{id} {} {}", place.delta, place.root.0.to_hex());
    let run = run_dir(cx)?;
    let record = live_mount(cx, &run, id)?.ok_or(Error::NoSession)?;
    let view = SessionView::remote(&run, &record, store, base)?;
    let mut walk = Walk { view: &view, found: BTreeSet::new(), below };
    walk.compare().map_err(LiveError::from)?;
    let found = walk.found;
    let after = cx.catalog()?.view().session(id)?;
    let stands = after.delta == session.delta && after.base.root == session.base.root;
    Ok((Some(found).filter(|found| stands && found.len() <= MAX_PATHS), stand))
}

struct Walk<'a> {
    view: &'a SessionView,
    found: BTreeSet<Vec<u8>>,
    below: &'a BytePath,
}

impl Walk<'_> {
    fn compare(&mut self) -> std::result::Result<(), ReadError> {
        let frozen = self.view.onto();
        let (old, new) = (frozen.root()?, self.view.root()?);
        let mut todo = vec![(BytePath::root(), dir_of(&old), dir_of(&new))];
        while let Some((path, old, new)) = todo.pop() {
            let old = old.map_or_else(|| Ok(Vec::new()), |dir| frozen.list(dir))?;
            let new = new.map_or_else(|| Ok(Vec::new()), |dir| self.view.list(dir))?;
            for name in names(&old, &new) {
                let find = |entries: &[SnapshotEntry]| {
                    let at = entries.binary_search_by(|entry| entry.name.as_bytes().cmp(name));
                    at.ok().map(|at| entries[at].clone())
                };
                let (a, b) = (find(&old), find(&new));
                let path = path.join(name);
                if self.is_elsewhere(&path) {
                    continue;
                }
                let dirs = (a.as_ref().and_then(dir_of), b.as_ref().and_then(dir_of));
                match dirs {
                    (Some(SnapshotDir::Frozen(a)), Some(SnapshotDir::Frozen(b))) if a.node == b.node => {}
                    (None, None) => {}
                    (a, b) => todo.push((path.clone(), a, b)),
                }
                if !same(a.as_ref(), b.as_ref()) {
                    self.note(&path, b.or(a).is_some_and(|entry| entry.attr.kind == Kind::Dir));
                }
            }
        }
        Ok(())
    }

    /// Whether a path is neither above, nor in the working directory; or in the repository's own directory.
    fn is_elsewhere(&self, path: &BytePath) -> bool {
        let inside = path.starts_with(self.below);
        let git = inside && path.parent().as_ref() == Some(self.below) && path.file_name() == Some(b".git");
        git || !inside && !self.below.starts_with(path)
    }

    fn note(&mut self, path: &BytePath, is_dir: bool) {
        if path == self.below || !path.starts_with(self.below) {
            return;
        }
        let skip = if self.below.is_root() { 0 } else { self.below.as_bytes().len() + 1 };
        let mut name = path.as_bytes()[skip..].to_vec();
        if is_dir {
            name.push(b'/');
        }
        self.found.insert(name);
    }
}

fn dir_of(entry: &SnapshotEntry) -> Option<SnapshotDir> {
    match entry.body {
        SnapshotBody::Dir(dir) => Some(dir),
        _ => None,
    }
}

/// The names of both, each once.
fn names<'a>(old: &'a [SnapshotEntry], new: &'a [SnapshotEntry]) -> BTreeSet<&'a [u8]> {
    old.iter().chain(new).map(|entry| entry.name.as_bytes()).collect()
}

/// Whether `stat` says the same of both, and they hold the same for all that is known. The times of a directory change
/// with the names in it, which are compared themselves.
fn same(old: Option<&SnapshotEntry>, new: Option<&SnapshotEntry>) -> bool {
    let (Some(a), Some(b)) = (old, new) else { return false };
    match (&a.body, &b.body) {
        (SnapshotBody::Dir(_), SnapshotBody::Dir(_)) => a.attr.ino == b.attr.ino,
        (SnapshotBody::File(x), SnapshotBody::File(y)) => a.attr == b.attr && x == y,
        (SnapshotBody::Symlink(x), SnapshotBody::Symlink(y)) => a.attr == b.attr && x == y,
        _ => a.attr == b.attr && a.attr.kind == b.attr.kind,
    }
}

/// What was answered lately for one working directory. It may be lost at any time.
struct Memory(PathBuf);

impl Memory {
    fn of(cx: &Context, id: &str, below: &BytePath) -> Result<Self> {
        let place = blake3::hash(below.as_bytes()).to_hex();
        let dir = cx.paths.runtime.join("fsmonitor").join(format!("{id}-{}", &place[..16]));
        fs::create_dir_all(&dir).map_err(|source| Error::Io { path: dir.clone(), source })?;
        Ok(Self(dir))
    }

    fn file(&self, token: &str) -> Option<PathBuf> {
        let hash = token.strip_prefix("aether:")?;
        let plain = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| self.0.join(hash))
    }

    fn recall(&self, token: &str) -> Option<Vec<u8>> {
        let kept = fs::read(self.file(token)?).ok()?;
        // A file that was cut short is none.
        (format!("aether:{}", blake3::hash(&kept).to_hex()) == token).then_some(kept)
    }

    fn keep(&self, token: &str, kept: &[u8]) -> Result<()> {
        let Some(file) = self.file(token) else { return Ok(()) };
        fs::write(&file, kept).map_err(|source| Error::Io { path: file, source })?;
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut all: Vec<_> =
            entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
        all.sort();
        for (_, old) in all.iter().rev().skip(REMEMBERED) {
            let _gone = fs::remove_file(old);
        }
        Ok(())
    }
}

/// Has the repository at the top of a mount ask this program. Only a plain configuration file of the session's own is
/// touched: none that a link, or a `.git` that is a file, leads to.
///
/// # Errors
/// [`ImportError::Git`], or what git says.
pub fn switch_on(mount: &Path, exe: &Path) -> Result<()> {
    let git = mount.join(".git");
    let config = git.join("config");
    let plain = |path: &Path| fs::symlink_metadata(path).ok();
    if !plain(&git).is_some_and(|meta| meta.is_dir()) || !plain(&config).is_some_and(|meta| meta.is_file()) {
        let why = format!("`{}` has no repository of its own", mount.display());
        return Err(ImportError::Git { what: "config".to_owned(), why }.into());
    }
    let exe = exe.to_string_lossy().replace('\'', "'\\''");
    let settings = [("core.fsmonitor", format!("'{exe}' fsmonitor")), ("core.fsmonitorHookVersion", "2".to_owned())];
    for (key, value) in settings {
        super::git::set_config(&config, key, &value)?;
    }
    Ok(())
}
