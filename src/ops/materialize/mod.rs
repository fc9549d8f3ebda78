//! Writing a session's tree to a plain directory, for where FUSE is not to be had.
//!
//! The tree is written beside its place under another name, and gets its own name when it is whole and on the disk: a
//! directory of that name is never half of a tree. What was written is noted with the numbers and times that the files
//! got, so that an absorption knows what was touched since without reading it ([`super::absorb`]).

mod error;
mod reflink;
mod write;

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rustix::fs::{CWD, syncfs};
use serde_json::json;

use crate::catalog::{Materialization, Session, SourceKind};
use crate::model::{RootId, Totals};
use crate::store::Hold;

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::gate::{self, Action, Work};
use super::hooks::{self, Occasion, Transition};
use super::live::LiveError;
use super::source_import::Watch;
use super::{Context, Error};

pub use error::PlainError;
use reflink::Reflinks;
use write::TreeWriter;

/// What was written.
#[derive(Debug)]
pub struct Materialized {
    /// The session.
    pub session: Session,
    /// Where.
    pub dir: PathBuf,
    /// How much the tree holds.
    pub totals: Totals,
    /// Files that share their bytes with the directory that the session's source was made of.
    pub cloned: u64,
    /// What could not be written as it is, a line each.
    pub left_out: Vec<String>,
}

/// Writes the session's present tree to `dir`, which is not there yet or is empty.
///
/// # Errors
/// [`PlainError::NotEmpty`], [`Error::Interrupted`], or what the disk says; then nothing is left of it.
pub fn run(cx: &mut Context, session: Option<&str>, dir: &Path, watch: Watch<'_>) -> Result<Materialized> {
    let session = cx.resolve_session(session)?;
    super::session_archive::refuse_archived(&session)?;
    let dir = place(cx, dir)?;
    let hold = cx.store()?.hold()?;
    let root_id = seal_session(cx, &session)?.root;
    let store = cx.store()?.clone();
    let root = store.root(root_id).map_err(LiveError::from)?;
    let pass = gate::pass(cx, Action::Materialize, Work::present(&session, Some(root_id)))?;
    let details = json!({ "dir": dir.to_string_lossy() });
    let passed = hooks::before(cx, Occasion::at(Transition::Materialize, &session, root_id, details))?;
    let reflinks = reflinks(cx, &session, &store);

    let stage = Stage::new(&dir)?;
    watch.progress.walked(root.totals.files, root.totals.size_bytes);
    let writer = hold.writer()?;
    let mut tree = TreeWriter::new(&store, &writer, reflinks, watch, &stage.0)?;
    let footprint = tree.write(&root)?;
    let footprint = writer.put_root(&footprint)?;
    let (cloned, left_out) = (tree.cloned(), tree.left_out);
    writer.finish()?;
    pass.confirm(cx.catalog()?.view())?;
    stage.take_place(&dir)?;

    let made = Materialization { session: session.id.clone(), dir: dir.clone(), root: root_id, footprint };
    let known = cx.catalog()?.view().materialized_dirs(&session.id)?;
    let gone: Vec<PathBuf> = known.into_iter().filter(|dir| !dir.is_dir()).collect();
    cx.write(|tx| Ok(tx.put_materialization(&made, &gone)?))?;
    passed.done(cx);
    Ok(Materialized { session, dir, totals: root.totals, cloned, left_out })
}

/// Writes a frozen tree to a directory that is there and empty, for somebody to look at. The caller holds the tree.
///
/// # Errors
/// It cannot be read, or written.
pub(super) fn write_view(cx: &mut Context, hold: &Hold, root: RootId, dir: &Path) -> Result<()> {
    let store = cx.store()?.clone();
    let root = store.root(root).map_err(LiveError::from)?;
    let cancel = AtomicBool::new(false);
    let watch = Watch { progress: &(), cancel: &cancel };
    let writer = hold.writer()?;
    TreeWriter::new(&store, &writer, None, watch, dir)?.write(&root)?;
    // What it found out about the files is for nobody.
    Ok(writer.finish().map(drop)?)
}

/// The absolute path of a place where a directory can be made.
fn place(cx: &Context, dir: &Path) -> Result<PathBuf> {
    let path = cx.cwd.as_ref().map_or_else(|| dir.to_owned(), |cwd| cwd.join(dir));
    let failed = |source| Error::Io { path: path.clone(), source };
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let above = path.parent().unwrap_or(Path::new("/")).canonicalize().map_err(failed)?;
    let path = above.join(name);
    if let Ok(data) = cx.paths.data.canonicalize()
        && path.starts_with(data)
    {
        return Err(super::import::ImportError::InsideDataDirectory { path }.into());
    }
    match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => Ok(path),
        Err(source) => Err(Error::Io { path, source }),
        Ok(mut entries) => match entries.next() {
            None if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink()) => Ok(path),
            _ => Err(PlainError::NotEmpty { path }.into()),
        },
    }
}

fn reflinks(cx: &mut Context, session: &Session, store: &crate::store::Store) -> Option<Reflinks> {
    let source = cx.catalog().ok()?.view().source_by_id(session.base.source.as_deref()?).ok()??;
    let root: RootId = session.base.onto?;
    let origin = source.origin.filter(|_| source.kind == SourceKind::Dir)?;
    Reflinks::new(store, root, &origin)
}

/// A directory beside the one that is to be, which goes unless it takes that one's place.
struct Stage(PathBuf);

impl Stage {
    /// Makes one, and removes what processes left there that are gone.
    fn new(dir: &Path) -> Result<Self> {
        let (above, name) = (dir.parent().unwrap_or(dir), dir.file_name().unwrap_or_default());
        let prefix = [b".", name.as_bytes(), b".aether-"].concat();
        for entry in fs::read_dir(above).into_iter().flatten().flatten() {
            let found = entry.file_name();
            let owner = found.as_bytes().strip_prefix(prefix.as_slice()).and_then(|pid| std::str::from_utf8(pid).ok());
            if let Some(pid) = owner.and_then(|pid| pid.parse::<u32>().ok())
                && !Path::new(&format!("/proc/{pid}")).exists()
            {
                let _gone = remove(&entry.path());
            }
        }
        let name = [prefix, std::process::id().to_string().into_bytes()].concat();
        let path = above.join(std::ffi::OsString::from_vec(name));
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Self(path))
    }

    fn take_place(self, dir: &Path) -> Result<()> {
        let failed = |source: io::Error| Error::Io { path: dir.to_owned(), source };
        let top = fs::File::open(&self.0).map_err(failed)?;
        syncfs(&top).map_err(|errno| failed(errno.into()))?;
        rustix::fs::renameat(CWD, &self.0, CWD, dir).map_err(|errno| match errno {
            rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST => {
                PlainError::NotEmpty { path: dir.to_owned() }.into()
            }
            errno => failed(errno.into()),
        })?;
        if let Some(above) = dir.parent() {
            fs::File::open(above).and_then(|above| above.sync_all()).map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _gone = remove(&self.0);
    }
}

/// Removes a tree, with directories in it that cannot be written.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        remove(&entry?.path())?;
    }
    fs::remove_dir(path)
}
