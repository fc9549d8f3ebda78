//! Mounting: where, what, and starting the process that serves it.

use std::fs::DirBuilder;
use std::num::NonZero;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::catalog::{Catalog, Session};
use crate::daemon::{
    self, Announce, Doing, Failure, MemoryLimits, MountRecord, MountState, Opening, Ready, Roles, RunDir, ServeSpec,
    Turn,
};
use crate::disk::{Disk, RealDisk};
use crate::fuse::{Forbidden, MountError, MountOptions, MountPoint, MountTable};
use crate::model::RootId;
use crate::store::StoreOptions;

use super::error::Result;
use super::hooks::{self, Occasion, Passed, Setup, State, Transition};
use super::live::{LiveError, Rows, SessionBase, What, open_store, open_workspace};
use super::names::{self, Named};
use super::{Context, Error, accelerate, blank, session_archive};

/// How long a mount may take to answer.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// What to mount where.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// Where; a directory of ours below the runtime directory if not given.
    pub dir: Option<PathBuf>,
    /// A frozen tree in place of the session's live state.
    pub at: Option<String>,
    /// Whether the directory may have content, which is then covered.
    pub cover: bool,
    /// Whether an overlay is to lie on it, as [`session_run`](super::session_run) makes them.
    pub accelerated: bool,
    /// Mount options.
    pub options: MountOptions,
}

/// A mount that answers.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The name of the session, or of the frozen tree.
    pub name: String,
    /// Its tag in the mount table.
    pub tag: String,
    /// Where.
    pub mount_point: PathBuf,
    /// The process that serves it.
    pub pid: u32,
    /// Whether changes are refused.
    pub read_only: bool,
}

/// How the mount process is run.
#[derive(Clone, Debug)]
pub struct Server {
    /// The program to re-execute.
    pub exe: PathBuf,
    /// Threads that answer requests, if it is to be another number than the default.
    pub threads: Option<NonZero<usize>>,
    /// How much of the store it keeps in memory, in bytes.
    pub cache_bytes: u64,
    /// What it logs.
    pub log_level: String,
}

/// Reads lists of mount options; of two that contradict each other the last holds.
///
/// # Errors
/// One that is not known, or not for the user to set.
pub fn options(lists: &[String]) -> Result<MountOptions> {
    let read = lists.iter().try_fold(MountOptions::default(), |options, list| options.parse(list));
    Ok(read.map_err(|error| Failure::from(MountError::Option(error)))?)
}

/// Mounts in the background; returns once the mount answers.
///
/// # Errors
/// The session or revision is not there, is mounted, or cannot be served; the directory cannot be mounted on.
pub fn run(cx: &mut Context, request: &Request, server: &Server) -> Result<Mount> {
    let about = announced(cx, request)?;
    let (spec, name, turn) = prepare(cx, request, server)?;
    let ready = daemon::spawn(&server.exe, &["serve"], &spec, READY_LIMIT).inspect_err(|_| take_back(&spec))?;
    drop(turn);
    let made = mount(&spec, name, &ready);
    if let Some((session, passed)) = about {
        passed.done_as(cx, mounted(&session, &made));
    }
    Ok(made)
}

/// Tells hooks that a session is to be mounted. A frozen tree is looked at, and nothing happens to it.
fn announced(cx: &mut Context, request: &Request) -> Result<Option<(Session, Passed)>> {
    if request.at.is_some() {
        return Ok(None);
    }
    let session = cx.resolve_session(request.session.as_deref())?;
    if !hooks::any(cx, Transition::Mount, session.base.source.as_deref())? {
        return Ok(None);
    }
    // What can be refused without them is.
    session_archive::refuse_archived(&session)?;
    refuse_second(cx, &run_dir(cx)?, &session.id, &session.name)?;
    let details = json!({ "read_only": request.options.read_only });
    let passed = hooks::before(cx, Occasion::of(Transition::Mount, &session, details))?;
    Ok(Some((session, passed)))
}

fn mounted(session: &Session, mount: &Mount) -> Occasion {
    let details = json!({ "mount": mount.mount_point.to_string_lossy(), "read_only": mount.read_only });
    Occasion { state: State::Dir(mount.mount_point.clone()), ..Occasion::of(Transition::Mount, session, details) }
}

/// Mounts a frozen tree read-only on a directory of our own, for somebody to look at. The caller holds the tree, and takes
/// the mount away.
///
/// # Errors
/// It cannot be served or mounted.
pub(super) fn mount_view(cx: &Context, (root, tag): (RootId, &str), dir: &Path, server: &Server) -> Result<()> {
    let run = run_dir(cx)?;
    let what = What::Tree { root: root.0.to_hex() };
    let spec = ServeSpec {
        log: log_file(cx, tag)?,
        tag: tag.to_owned(),
        what: serde_json::to_value(what).map_err(|error| Failure::new("spec", error.to_string()))?,
        data_dir: cx.paths.data.clone(),
        run_dir: run.path().to_owned(),
        mount_point: dir.to_owned(),
        created_mount_point: true,
        options: MountOptions { read_only: true, ..MountOptions::default() },
        threads: server.threads,
        log_level: server.log_level.clone(),
    };
    Ok(daemon::spawn(&server.exe, &["serve"], &spec, READY_LIMIT).map(drop)?)
}

/// The log of a mount process, in a directory that is there.
fn log_file(cx: &Context, tag: &str) -> Result<PathBuf> {
    let dir = cx.paths.data.join("log");
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(at(&dir))?;
    Ok(dir.join(format!("{tag}.log")))
}

/// Mounts and serves in this process until the mount is gone; `told` hears of it once the mount answers.
///
/// # Errors
/// As [`run`], and when serving fails.
pub fn run_here(
    cx: &mut Context,
    request: &Request,
    server: &Server,
    told: impl FnOnce(&Mount) + Send + 'static,
) -> Result<()> {
    let about = announced(cx, request)?;
    let (spec, name, turn) = prepare(cx, request, server)?;
    let shown = spec.clone();
    // What runs afterwards uses the mount, which this thread serves.
    let mut own = Context::new(cx.paths.clone(), cx.actor.clone(), cx.command.clone(), cx.now_ns, cx.seed);
    own.hooks = Setup { interrupts: None, ..cx.hooks.clone() };
    let announce = Announce::Call(Box::new(move |ready| {
        drop(turn);
        let made = mount(&shown, name, ready);
        told(&made);
        if let Some((session, passed)) = about {
            let hooks = move || passed.done_as(&mut own, mounted(&session, &made));
            let _without_them = std::thread::Builder::new().name("hooks".into()).spawn(hooks);
        }
    }));
    let memory = store_options(server.cache_bytes);
    let open = |spec: &ServeSpec, opening: Opening| open_workspace(spec, opening, memory, ROWS);
    Ok(daemon::serve(&spec, announce, open).inspect_err(|_| take_back(&spec))?)
}

/// The keeper of a mount: holds its connection to the kernel while mount processes come and go.
///
/// # Errors
/// When nobody could take the mount over.
pub fn keep() -> Result<()> {
    Ok(daemon::keep()?)
}

/// The mount process: serves what its standard input orders.
///
/// # Errors
/// What went wrong, which the parent has been told too.
pub fn serve(cache_bytes: u64) -> Result<()> {
    let roles = Roles { exe: daemon::OWN_EXE.into(), keep: vec!["keep".into()], serve: vec!["serve".into()] };
    let memory = store_options(cache_bytes);
    Ok(daemon::serve_child(&roles, |spec, opening| open_workspace(spec, opening, memory, ROWS))?)
}

/// How a mount process keeps the store in memory, of which it is to take at most so many bytes.
fn store_options(cache_bytes: u64) -> StoreOptions {
    let limits = MemoryLimits::of_process();
    StoreOptions { cache_bytes: limits.cache_bytes(cache_bytes), threads_ahead: limits.threads_ahead() }
}

/// The catalog, as a mount process sees it.
const ROWS: Rows = Rows { base: base_of, is_frozen, fold };

/// Whether a decision about the session is awaited, until which it must not change.
fn is_frozen(data_dir: &Path, id: &str) -> std::result::Result<bool, Failure> {
    let approval = Catalog::open(data_dir).and_then(|catalog| catalog.view().freezing(id));
    Ok(approval.map_err(|error| Failure::new("catalog", error.to_string()))?.is_some())
}

/// What a session stands on, as the catalog says it at this moment.
fn base_of(data_dir: &Path, id: &str) -> std::result::Result<SessionBase, Failure> {
    let said = |error: Error| {
        let failure = Failure::new(error.code(), error.to_string());
        error.hints().into_iter().fold(failure, Failure::hint)
    };
    let session = Catalog::open(data_dir).and_then(|catalog| catalog.view().session(id));
    // It may have been deleted or archived since the command looked.
    let session = session.map_err(|error| said(error.into()))?;
    session_archive::refuse_archived(&session).map_err(said)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = open_store(&disk, data_dir, StoreOptions::default())?;
    Ok(blank::base_of(&store, &session).map_err(LiveError::from)?)
}

/// Notes that a session stands on another tree, with an empty delta.
fn fold(data_dir: &Path, id: &str, place: &SessionBase, root: RootId) -> std::result::Result<bool, Failure> {
    let folded = Catalog::open(data_dir).and_then(|mut catalog| catalog.fold_session(id, place.delta, root));
    folded.map_err(|error| Failure::new("catalog", error.to_string()))
}

fn mount(spec: &ServeSpec, name: String, ready: &Ready) -> Mount {
    Mount {
        name,
        tag: spec.tag.clone(),
        mount_point: ready.mount_point.clone(),
        pid: ready.pid,
        read_only: spec.options.read_only,
    }
}

/// A directory that was made for a mount that did not come to be.
fn take_back(spec: &ServeSpec) {
    if spec.created_mount_point {
        let _kept_if_used = std::fs::remove_dir(&spec.mount_point);
    }
}

/// Looks at everything that can be in the way. Until the turn is dropped nobody else mounts the same thing: two who did
/// would use, and take back, one mount point.
fn prepare(cx: &mut Context, request: &Request, server: &Server) -> Result<(ServeSpec, String, Turn)> {
    let is_root = rustix::process::geteuid().is_root();
    request.options.check(is_root).map_err(|error| Failure::from(MountError::Option(error)))?;
    let run = run_dir(cx)?;
    daemon::clean_stale(&run)?;
    let mut options = request.options.clone();
    let (name, tag, what, turn) = match &request.at {
        Some(at) => {
            let named = state_of(cx, request.session.as_deref(), at)?;
            let (Some(root), Some(tag)) = (named.frozen_root(), frozen_tag(&named)) else {
                return Err(Error::NotFrozen { text: at.clone() });
            };
            options.read_only = true;
            let turn = run.turn(Doing::Mounting, &tag)?;
            (named.name(), tag, What::Tree { root: root.0.to_hex() }, turn)
        }
        None => {
            let session = cx.resolve_session(request.session.as_deref())?;
            session_archive::refuse_archived(&session)?;
            let turn = run.turn(Doing::Mounting, &session.id)?;
            refuse_second(cx, &run, &session.id, &session.name)?;
            let what = What::Session { id: session.id.clone(), accelerated: request.accelerated };
            (session.name, session.id, what, turn)
        }
    };
    let place = mount_point(cx, request, &run, &name)?;
    let what = serde_json::to_value(what).map_err(|error| Failure::new("spec", error.to_string()))?;
    let spec = ServeSpec {
        log: log_file(cx, &tag)?,
        tag,
        what,
        data_dir: cx.paths.data.clone(),
        run_dir: run.path().to_owned(),
        mount_point: place.path,
        created_mount_point: place.created,
        options,
        threads: server.threads,
        log_level: server.log_level.clone(),
    };
    Ok((spec, name, turn))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// What the mount table calls a frozen tree. Names may have characters that cannot stand there.
pub(super) fn frozen_tag(named: &Named) -> Option<String> {
    match named {
        Named::Session(_) => None,
        Named::Checkpoint(session, checkpoint) => Some(format!("{}@{}", session.id, checkpoint.number)),
        Named::Revision(source, revision) => Some(format!("{}@{}", source.id, revision.number)),
        Named::Commit(commit) => Some(commit.id.clone()),
    }
}

/// What `at` stands for; `@2` is checkpoint 2 of the session.
fn state_of(cx: &mut Context, session: Option<&str>, at: &str) -> Result<Named> {
    let session = match at.starts_with('@') {
        true => Some(cx.resolve_session(session)?),
        false => None,
    };
    names::resolve(cx.catalog()?.view(), at, session.as_ref())
}

/// The directory with the records of mounts.
///
/// # Errors
/// It belongs to somebody else, or cannot be made.
pub fn run_dir(cx: &Context) -> Result<RunDir> {
    Ok(RunDir::open(cx.paths.make_runtime()?)?)
}

/// The mount of a session that a living process serves. One that lay below an overlay, and that nobody waits for any more,
/// is taken away first.
///
/// # Errors
/// The records cannot be read; [`Error::Accelerated`].
pub fn live_mount(cx: &Context, run: &RunDir, tag: &str) -> Result<Option<MountRecord>> {
    let mounts = daemon::mounts(run)?;
    let alive = mounts.into_iter().filter(|(record, state)| record.tag == tag && *state != MountState::Dead);
    let found = alive.map(|(found, _)| found).find(|record| is_own(cx, record));
    match found {
        Some(record) if accelerate::is_accelerated(&record) => {
            accelerate::end_orphan(&record)?;
            Ok(None)
        }
        found => Ok(found),
    }
}

/// Whether what is mounted is of this data directory: a backup has sessions of the same ids.
pub(super) fn is_own(cx: &Context, record: &MountRecord) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |dir: &Path| std::fs::metadata(dir).map(|found| (found.dev(), found.ino())).ok();
    record.data_dir == cx.paths.data || place(&record.data_dir).is_some_and(|at| Some(at) == place(&cx.paths.data))
}

fn refuse_second(cx: &Context, run: &RunDir, id: &str, name: &str) -> Result<()> {
    match live_mount(cx, run, id)? {
        Some(record) => Err(Error::Mounted { name: name.to_owned(), at: record.mount_point }),
        None => Ok(()),
    }
}

fn mount_point(cx: &Context, request: &Request, run: &RunDir, name: &str) -> Result<MountPoint> {
    let table = MountTable::read().map_err(at(Path::new("/proc/self/mountinfo")))?;
    let data_dir = std::fs::canonicalize(&cx.paths.data).unwrap_or_else(|_| cx.paths.data.clone());
    let run_dir = std::fs::canonicalize(run.path()).unwrap_or_else(|_| run.path().to_owned());
    let forbidden = Forbidden { data_dir: &data_dir, run_dir: &run_dir, table: &table };
    let prepare = |path: &Path| MountPoint::prepare(path, request.cover, &forbidden).map_err(Failure::from);
    if let Some(dir) = &request.dir {
        return Ok(match &cx.cwd {
            Some(cwd) => prepare(&cwd.join(dir))?,
            None if dir.is_absolute() => prepare(dir)?,
            None => return Err(Failure::from(MountError::NoWorkingDir { path: dir.clone() }).into()),
        });
    }
    let parent = run.join("mnt");
    DirBuilder::new().recursive(true).mode(0o700).create(&parent).map_err(at(&parent))?;
    // A revision can be mounted many times, and another data directory may have a session of the same name.
    let mut free = parent.join(name);
    for number in 2.. {
        if !table.ours().any(|entry| entry.mount_point == free) {
            break;
        }
        free = parent.join(format!("{name}.{number}"));
    }
    let mut place = prepare(&free)?;
    // It is ours, whoever made it first.
    place.created = true;
    Ok(place)
}
