//! The mount process itself: from the order to the last sync. It begins with a new mount, or where another process was
//! that served the same mount before.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};

use crate::disk::Gate;
use crate::fuse::{Counters, Invalidations, Mounted};
use crate::overlay::Files;

use super::control::{Reply, Request};
use super::keeper::{Descriptors, Note, Roles, TakeOver, receive_order, say};
use super::setup::{Running, fresh, resume};
use super::{Announce, Failure, Ready, ServeSpec, logger};

/// The longest order, in bytes.
const MAX_SPEC_BYTES: u64 = 1 << 20;

/// What is served, and what else it can do while it is.
pub trait Workspace: Send + Sync + 'static {
    /// Its files.
    fn files(&self) -> Arc<dyn Files>;

    /// The gate of the disk that the files are on.
    fn gate(&self) -> Arc<Gate>;

    /// What has to outlive this process, for the next one that opens the workspace: locks above all. Seven at most.
    ///
    /// # Errors
    /// [`Failure`]; the mount then has no keeper.
    fn heirlooms(&self) -> Result<Vec<OwnedFd>, Failure> {
        Ok(Vec::new())
    }

    /// It is mounted. Through the connection it can tell the kernel of changes that did not come from the kernel.
    fn connected(&self, connection: &Connection);

    /// Answers a request on the control socket, on a thread of its own. See [`control`](super::control) for those that
    /// never get here.
    ///
    /// # Errors
    /// [`Failure`] is sent as the answer.
    fn control(&self, request: Request) -> Result<Reply, Failure>;

    /// Makes durable what was written, and leaves everything as the next process needs it to go on over the same
    /// connection. Called once, in place of [`Workspace::finish`], while no request is answered.
    ///
    /// # Errors
    /// [`Failure`] is logged; the next process finds what is there.
    fn hand_over(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Makes durable what was written. Called once, after the last request that is answered; whoever still has a file
    /// open when the process is told to end gets no more answers afterwards.
    ///
    /// # Errors
    /// [`Failure`] is logged, and is what the process ends with.
    fn finish(&self) -> Result<(), Failure>;
}

/// How a workspace is opened.
#[derive(Debug)]
pub struct Opening {
    /// Tells this connection to the kernel from others; never 0.
    pub connection: u32,
    /// What the process before had as [`Workspace::heirlooms`], when it left the connection behind as it was.
    pub before: Option<Vec<OwnedFd>>,
}

impl Opening {
    pub(super) fn fresh() -> Self {
        Self { connection: getrandom::u32().unwrap_or_else(|_| std::process::id()).max(1), before: None }
    }
}

/// The way to the kernel of what is mounted.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Tells the kernel what it must forget.
    pub invalidations: Invalidations,
    /// Counts its requests.
    pub counters: Arc<Counters>,
    /// Where it is mounted.
    pub mounted: Mounted,
}

/// Runs a mount process that [`spawn`](super::spawn) or a keeper started: takes the order from standard input, lets go of
/// the terminal, logs to the file that the order names, and serves. `open` makes what is served. `roles` says how this
/// program is started again.
///
/// # Errors
/// [`Failure`], which the parent has been told already if it was still waiting.
pub fn serve_child<W: Workspace>(
    roles: &Roles,
    open: impl FnOnce(&ServeSpec, Opening) -> Result<W, Failure>,
) -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::new("spec", format!("the order cannot be read: {error}"));
    let answer = stdout().try_clone_to_owned().map_err(|error| Failure::io(Path::new("/dev/stdout"), &error))?;
    let input = stdin().try_clone_to_owned().map_err(broken)?;
    let result = match receive_order(&input) {
        Ok(Some((order, descriptors))) => go_on(&order, descriptors, input, open),
        Ok(None) => begin(roles, input, Announce::Pipe(answer.into()), open),
        Err(error) => Err(broken(error)),
    };
    match &result {
        Ok(()) => log::info!("ended"),
        Err(failure) => log::error!("ended: {failure}"),
    }
    result
}

fn begin<W: Workspace>(
    roles: &Roles,
    input: OwnedFd,
    announce: Announce,
    open: impl FnOnce(&ServeSpec, Opening) -> Result<W, Failure>,
) -> Result<(), Failure> {
    match read_spec(input).and_then(|spec| settle(&spec).map(|()| spec)) {
        Ok(spec) => run(fresh(&spec, Some(roles), open), &spec, announce),
        Err(failure) => {
            announce.failed(&failure);
            Err(failure)
        }
    }
}

fn go_on<W: Workspace>(
    order: &TakeOver,
    descriptors: Descriptors,
    talk: OwnedFd,
    open: impl FnOnce(&ServeSpec, Opening) -> Result<W, Failure>,
) -> Result<(), Failure> {
    let lost = |error: io::Error| Failure::new("keeper", error.to_string());
    let heard = talk.try_clone().map_err(lost)?;
    match settle(&order.spec).and_then(|()| resume(order, descriptors, talk, open)) {
        Ok(running) => running.serve(),
        Err(failure) => {
            // The keeper knows what to do when it does not hear of it.
            let _unheard = say(&heard, &Note::Failed(failure.clone()));
            Err(failure)
        }
    }
}

fn read_spec(input: OwnedFd) -> Result<ServeSpec, Failure> {
    let broken = |error: &dyn fmt::Display| Failure::new("spec", format!("the order cannot be read: {error}"));
    let mut text = Vec::new();
    File::from(input).take(MAX_SPEC_BYTES).read_to_end(&mut text).map_err(|error| broken(&error))?;
    serde_json::from_slice(&text).map_err(|error| broken(&error))
}

/// Lets go of whoever started this process, and sees to it that a bug ends it.
fn settle(spec: &ServeSpec) -> Result<(), Failure> {
    let null = Path::new("/dev/null");
    let failed = |errno: rustix::io::Errno| Failure::io(null, &errno.into());
    let nothing = rustix::fs::open(null, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    dup2_stdin(&nothing).map_err(failed)?;
    dup2_stdout(&nothing).map_err(failed)?;
    let _stays = rustix::thread::set_name(c"aether");
    // A process that leads its group already stays where it is.
    let _leads = rustix::process::setsid();
    let log = logger::open(&spec.log).map_err(|error| Failure::io(&spec.log, &error))?;
    logger::start(log, &spec.log_level);
    std::panic::set_hook(Box::new(|panic| {
        // A thread that is missing would be a mount that answers some and lets others hang. The keeper starts anew.
        log::error!("a bug: {}", panic.to_string().replace('\n', "; "));
        std::process::abort();
    }));
    Ok(())
}

/// Mounts and serves until the mount is gone, in this process. `announce` is told as soon as the mount answers.
///
/// Changes the working directory to `/` and the umask to 0, and takes over SIGTERM, SIGINT, SIGHUP and SIGXFSZ. A signal
/// unmounts; if someone holds the mount, it is detached, served a few seconds more, and then the process exits. It has no
/// keeper: when the process dies, so does the mount.
///
/// # Errors
/// [`Failure`] when it cannot be mounted, when the connection breaks, or from [`Workspace::finish`].
pub fn serve<W: Workspace>(
    spec: &ServeSpec,
    announce: Announce,
    open: impl FnOnce(&ServeSpec, Opening) -> Result<W, Failure>,
) -> Result<(), Failure> {
    run(fresh(spec, None, open), spec, announce)
}

fn run(running: Result<Running, Failure>, spec: &ServeSpec, announce: Announce) -> Result<(), Failure> {
    match running {
        Ok(running) => {
            let ready = Ready { pid: std::process::id(), mount_point: spec.mount_point.clone() };
            log::info!("serving `{}` as process {}", spec.tag.escape_debug(), ready.pid);
            announce.ready(ready);
            running.serve()
        }
        Err(failure) => {
            announce.failed(&failure);
            Err(failure)
        }
    }
}
