//! Setting a mount process up, for a new mount or for one that is there already, and taking back what was set up if the
//! rest cannot be.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::Mode;

use crate::fuse::{self, How, MountError, Mounted, Server};
use crate::overlay::Files;

use super::answers::Own;
use super::control::Service;
use super::keeper::{Descriptors, Kept, Link, Note, Parts, Roles, Starting, TakeOver};
use super::registry::MountRecord;
use super::serve::{Connection, Opening, Workspace};
use super::shutdown::{Ending, Signals};
use super::{Failure, RunDir, ServeSpec};

/// A mount process that is set up.
pub(super) struct Running {
    server: Server<dyn Files>,
    ending: Arc<Ending>,
    service: Service,
}

impl Running {
    /// Answers requests until the mount is gone.
    pub(super) fn serve(self) -> Result<(), Failure> {
        let result = self.server.run();
        self.service.stop();
        self.ending.after_last_request(result)
    }
}

/// What both ways of setting up begin with.
fn enter(spec: &ServeSpec) -> Result<(Signals, RunDir), Failure> {
    let root = Path::new("/");
    std::env::set_current_dir(root).map_err(|error| Failure::io(root, &error))?;
    rustix::process::umask(Mode::empty());
    let signals = Signals::take().map_err(|error| Failure::new("signals", error.to_string()))?;
    Ok((signals, RunDir::open(&spec.run_dir)?))
}

/// Mounts. With `roles`, the mount gets a keeper.
pub(super) fn fresh<W: Workspace>(
    spec: &ServeSpec,
    roles: Option<&Roles>,
    open: impl FnOnce(&ServeSpec, Opening) -> Result<W, Failure>,
) -> Result<Running, Failure> {
    // It comes up while the rest is done.
    let keeper = roles.map(Starting::start);
    let (signals, run) = enter(spec)?;
    let opening = Opening::fresh();
    let connection = opening.connection;
    let workspace = Arc::new(open(spec, opening)?);

    let record = MountRecord::new(spec).map_err(|error| Failure::io(&spec.run_dir, &error))?;
    record.write(&run)?;
    let undo = Undo { record: record.clone(), run: run.clone(), spec };
    let in_run_dir = fs::canonicalize(run.path()).is_ok_and(|own| spec.mount_point.starts_with(own));
    if spec.created_mount_point && in_run_dir {
        // The mount before, whose session is only now free, took its mount point along when it ended.
        let _there_or_said_below = fs::DirBuilder::new().mode(0o700).create(&spec.mount_point);
    }
    let (device, mounted) = match fuse::mount(&spec.mount_point, &spec.tag, &spec.options) {
        Ok(made) => made,
        Err(error) => return Err(undo.failed(None, error.into())),
    };
    let record = Arc::new(Mutex::new(record));
    let set_up = || {
        let broken = |error| Failure::from(MountError::Handshake(error));
        let second = device.try_clone().map_err(broken)?;
        let server = Server::new(workspace.files(), workspace.gate(), device, &spec.config()).map_err(broken)?;
        let handshake = server.handshake();
        let entry = &mounted.entry;
        let kept = || Kept {
            stem: record.lock().stem.clone(),
            mount_id: entry.id,
            device: entry.device.clone(),
            handshake,
            connection,
        };
        let link = roles.zip(keeper).and_then(|(roles, starting)| {
            let parts = |heirlooms| Parts {
                roles: roles.clone(),
                spec: spec.clone(),
                kept: kept(),
                descriptors: Descriptors { device: second, heirlooms, wire: None },
                run: run.clone(),
                record: Arc::clone(&record),
                suspects: Vec::new(),
            };
            let link = workspace.heirlooms().and_then(|heirlooms| Link::establish(parts(heirlooms), starting));
            // It can be served all the same, though not beyond this process.
            link.inspect_err(|failure| log::error!("{failure}")).ok()
        });
        complete(Complete { workspace, server, mounted: mounted.clone(), record, run, signals, link })
    };
    set_up().map_err(|failure| undo.failed(Some(&mounted), failure))
}

/// Takes over what another process served.
pub(super) fn resume<W: Workspace>(
    order: &TakeOver,
    descriptors: Descriptors,
    talk: OwnedFd,
    open: impl FnOnce(&ServeSpec, Opening) -> Result<W, Failure>,
) -> Result<Running, Failure> {
    let (spec, kept) = (&order.spec, &order.kept);
    let broken = |error: io::Error| Failure::from(MountError::Handshake(error));
    let (signals, run) = enter(spec)?;
    let heirlooms = descriptors.heirlooms.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>().map_err(broken)?;
    let device = descriptors.device.try_clone().map_err(broken)?;
    let workspace = Arc::new(open(spec, Opening { connection: kept.connection, before: Some(heirlooms) })?);

    let mut record = MountRecord::new(spec).map_err(|error| Failure::io(&spec.run_dir, &error))?;
    record.stem.clone_from(&kept.stem);
    (record.keeper, record.refused) = (Some(order.keeper.clone()), order.refused.clone());
    let record = Arc::new(Mutex::new(record));
    let mounted = Mounted::known(kept.mount_id, &kept.device, &spec.mount_point, &spec.tag).map_err(broken)?;
    let parts = Parts {
        roles: order.roles.clone(),
        spec: spec.clone(),
        kept: kept.clone(),
        descriptors,
        run: run.clone(),
        record: Arc::clone(&record),
        suspects: order.suspects.clone(),
    };
    let link = Link::inherit(parts, talk)?;
    let (files, gate, repeats) = (workspace.files(), workspace.gate(), Arc::clone(&link));
    let server = Server::take_over(files, gate, &device, &spec.config(), &kept.handshake, repeats).map_err(broken)?;
    let pid = std::process::id();
    log::info!("serving `{}` from where it was left, as process {pid}", spec.tag.escape_debug());
    let own = Arc::clone(&link);
    let running = complete(Complete { workspace, server, mounted, record, run, signals, link: Some(link) })?;
    let heard = own.say(&Note::Serving);
    heard.map_err(|error| Failure::new("keeper", format!("the keeper does not listen: {error}")))?;
    if order.upgrade {
        own.relieve_soon();
    }
    Ok(running)
}

/// What is there before the last steps.
struct Complete<W> {
    workspace: Arc<W>,
    server: Server<dyn Files>,
    mounted: Mounted,
    record: Arc<Mutex<MountRecord>>,
    run: RunDir,
    signals: Signals,
    link: Option<Arc<Link>>,
}

/// The steps that are last in both ways: control socket, signals, record.
fn complete<W: Workspace>(parts: Complete<W>) -> Result<Running, Failure> {
    let Complete { workspace, server, mounted, record, run, signals, link } = parts;
    let connection =
        Connection { invalidations: server.invalidations(), counters: server.counters(), mounted: mounted.clone() };
    workspace.connected(&connection);
    record.lock().mounted = Some((mounted.entry.id, mounted.entry.device.clone()));
    let now = record.lock().clone();
    let ending = Ending::new(Arc::clone(&workspace), mounted, now.clone(), run.clone(), link.clone());
    let ending = Arc::new(ending);
    let drain = server.drain();
    let own = Own { workspace, connection, ending: Arc::clone(&ending), record: Arc::clone(&record), link, drain };
    let service = Service::start(&run, &now.socket(), Arc::new(own))?;
    signals.watch(Arc::clone(&ending)).map_err(|error| Failure::new("signals", error.to_string()))?;
    let mut record = record.lock();
    record.ready = true;
    record.write(&run)?;
    Ok(Running { server, ending, service })
}

/// Takes back what was set up when the rest could not be.
struct Undo<'a> {
    record: MountRecord,
    run: RunDir,
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
            let _kept_if_used = fs::remove_dir(&self.spec.mount_point);
        }
        self.record.remove(&self.run);
        failure
    }
}
