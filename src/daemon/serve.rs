//! The mount process itself: from the order to the last sync.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};
use serde_json::Value;

use crate::disk::Gate;
use crate::fuse::{self, Counters, How, Invalidations, Mounted, Server};
use crate::overlay::Files;

use super::control::{Handler, Reply, Request, Service};
use super::registry::MountRecord;
use super::shutdown::{Ending, Signals};
use super::{Announce, Failure, Ready, RunDir, ServeSpec, logger};

/// The longest order, in bytes.
const MAX_SPEC_BYTES: u64 = 1 << 20;

/// What is served, and what else it can do while it is.
pub trait Workspace: Send + Sync + 'static {
    /// Its files.
    fn files(&self) -> Arc<dyn Files>;

    /// The gate of the disk that the files are on.
    fn gate(&self) -> Arc<Gate>;

    /// It is mounted. Through the connection it can tell the kernel of changes that did not come from the kernel.
    fn connected(&self, connection: &Connection);

    /// Answers a request on the control socket, on a thread of its own. See [`control`](super::control) for those that
    /// never get here.
    ///
    /// # Errors
    /// [`Failure`] is sent as the answer.
    fn control(&self, request: Request) -> Result<Reply, Failure>;

    /// Makes durable what was written. Called once, after the last request that is answered; whoever still has a file
    /// open when the process is told to end gets no more answers afterwards.
    ///
    /// # Errors
    /// [`Failure`] is logged, and is what the process ends with.
    fn finish(&self) -> Result<(), Failure>;
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

/// Runs a mount process that [`spawn`](super::spawn) started: takes the order from standard input, lets go of the
/// terminal, logs to the file that the order names, and serves. `open` makes what is served.
///
/// # Errors
/// [`Failure`], which the parent has been told already if it was still waiting.
pub fn serve_child<W: Workspace>(open: impl FnOnce(&ServeSpec) -> Result<W, Failure>) -> Result<(), Failure> {
    let answer = stdout().try_clone_to_owned().map_err(|error| Failure::io(Path::new("/dev/stdout"), &error))?;
    let announce = Announce::Pipe(answer.into());
    let spec = match prepare_child() {
        Ok(spec) => spec,
        Err(failure) => {
            announce.failed(&failure);
            return Err(failure);
        }
    };
    let result = serve(&spec, announce, open);
    match &result {
        Ok(()) => log::info!("ended"),
        Err(failure) => log::error!("ended: {failure}"),
    }
    result
}

fn prepare_child() -> Result<ServeSpec, Failure> {
    let broken = |error: &dyn fmt::Display| Failure::new("spec", format!("the order cannot be read: {error}"));
    let order = File::from(stdin().try_clone_to_owned().map_err(|error| broken(&error))?);
    let mut text = Vec::new();
    order.take(MAX_SPEC_BYTES).read_to_end(&mut text).map_err(|error| broken(&error))?;
    let spec: ServeSpec = serde_json::from_slice(&text).map_err(|error| broken(&error))?;
    let null = Path::new("/dev/null");
    let failed = |errno: rustix::io::Errno| Failure::io(null, &errno.into());
    let nothing = rustix::fs::open(null, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    dup2_stdin(&nothing).map_err(failed)?;
    dup2_stdout(&nothing).map_err(failed)?;
    // A process that leads its group already stays where it is.
    let _leads = rustix::process::setsid();
    let log = logger::open(&spec.log).map_err(|error| Failure::io(&spec.log, &error))?;
    logger::start(log, &spec.log_level);
    Ok(spec)
}

/// Mounts and serves until the mount is gone, in this process. `announce` is told as soon as the mount answers.
///
/// Changes the working directory to `/` and the umask to 0, and takes over SIGTERM, SIGINT, SIGHUP and SIGXFSZ. A signal
/// unmounts; if someone holds the mount, it is detached, served a few seconds more, and then the process exits.
///
/// # Errors
/// [`Failure`] when it cannot be mounted, when the connection breaks, or from [`Workspace::finish`].
pub fn serve<W: Workspace>(
    spec: &ServeSpec,
    announce: Announce,
    open: impl FnOnce(&ServeSpec) -> Result<W, Failure>,
) -> Result<(), Failure> {
    match set_up(spec, open) {
        Ok((server, ending, service)) => {
            let ready = Ready { pid: std::process::id(), mount_point: spec.mount_point.clone() };
            log::info!("serving `{}` as process {}", spec.tag.escape_debug(), ready.pid);
            announce.ready(ready);
            let result = server.run();
            service.stop();
            ending.after_last_request(result)
        }
        Err(failure) => {
            announce.failed(&failure);
            Err(failure)
        }
    }
}

type Running = (Server<dyn Files>, Arc<Ending>, Service);

fn set_up<W: Workspace>(
    spec: &ServeSpec,
    open: impl FnOnce(&ServeSpec) -> Result<W, Failure>,
) -> Result<Running, Failure> {
    let root = Path::new("/");
    std::env::set_current_dir(root).map_err(|error| Failure::io(root, &error))?;
    rustix::process::umask(Mode::empty());
    let signals = Signals::take().map_err(|error| Failure::new("signals", error.to_string()))?;
    let run = RunDir::open(&spec.run_dir)?;
    let workspace = Arc::new(open(spec)?);

    let mut record = MountRecord::new(spec).map_err(|error| Failure::io(&spec.run_dir, &error))?;
    record.write(&run)?;
    let undo = Undo { record: &record, run: &run, spec };
    let (device, mounted) = match fuse::mount(&spec.mount_point, &spec.tag, &spec.options) {
        Ok(made) => made,
        Err(error) => return Err(undo.failed(None, error.into())),
    };
    let server = match Server::new(workspace.files(), workspace.gate(), device, &spec.config()) {
        Ok(server) => server,
        Err(error) => return Err(undo.failed(Some(&mounted), fuse::MountError::Handshake(error).into())),
    };
    let connection =
        Connection { invalidations: server.invalidations(), counters: server.counters(), mounted: mounted.clone() };
    workspace.connected(&connection);
    let ending = Arc::new(Ending::new(Arc::clone(&workspace), mounted.clone(), record.clone(), run.clone()));
    let own = Own { workspace, connection, ending: Arc::clone(&ending), record: record.clone() };
    let service = match Service::start(&run, &record.socket(), Arc::new(own)) {
        Ok(service) => service,
        Err(failure) => return Err(undo.failed(Some(&mounted), failure)),
    };
    if let Err(error) = signals.watch(Arc::clone(&ending)) {
        return Err(undo.failed(Some(&mounted), Failure::new("signals", error.to_string())));
    }
    record.ready = true;
    if let Err(failure) = record.write(&run) {
        let undo = Undo { record: &record, run: &run, spec };
        return Err(undo.failed(Some(&mounted), failure));
    }
    Ok((server, ending, service))
}

/// Takes back what was set up when the rest could not be.
struct Undo<'a> {
    record: &'a MountRecord,
    run: &'a RunDir,
    spec: &'a ServeSpec,
}

impl Undo<'_> {
    fn failed(&self, mounted: Option<&Mounted>, failure: Failure) -> Failure {
        if let Some(mounted) = mounted
            && let Err(error) = mounted.unmount(How::Lazy)
        {
            log::error!("{error}");
            return failure;
        }
        if self.spec.created_mount_point {
            let _kept_if_used = std::fs::remove_dir(&self.spec.mount_point);
        }
        self.record.remove(self.run);
        failure
    }
}

/// The requests that every mount process answers, before those of its workspace.
struct Own<W> {
    workspace: Arc<W>,
    connection: Connection,
    ending: Arc<Ending>,
    record: MountRecord,
}

impl<W: Workspace> Handler for Own<W> {
    fn handle(&self, request: Request) -> Result<Reply, Failure> {
        match request.verb.as_str() {
            "ping" => {
                let record =
                    serde_json::to_value(&self.record).map_err(|error| Failure::new("io", error.to_string()))?;
                Ok(Reply::of(record))
            }
            "requests" => {
                let counts = self.connection.counters.all();
                let named = counts.into_iter().map(|(op, count)| (op.name().to_owned(), Value::from(count)));
                Ok(Reply::of(named.collect()))
            }
            "stop" => {
                self.ending.begin();
                Ok(Reply::default())
            }
            _ => self.workspace.control(request),
        }
    }
}

/// How long someone who holds the mount is still served once the process was told to end.
pub(super) const GRACE: Duration = Duration::from_secs(3);
