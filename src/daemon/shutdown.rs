//! How a mount process ends: because the mount is gone, or because it was told to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator;

use crate::fuse::{How, MountError, Mounted};

use super::keeper::{Link, Note};
use super::registry::MountRecord;
use super::{Failure, RunDir, Workspace};

/// How long someone who holds the mount is still served once the process was told to end.
const GRACE: Duration = Duration::from_secs(3);

/// Signals that are held back until someone watches them.
pub(super) struct Signals(iterator::Signals);

impl Signals {
    /// From here on SIGTERM, SIGINT and SIGHUP do not end the process at once, and SIGXFSZ never does: the write that
    /// was too long fails instead.
    pub(super) fn take() -> io::Result<Self> {
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Self(iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?))
    }

    /// Begins the ending with the first signal, one that came before included.
    pub(super) fn watch(self, ending: Arc<Ending>) -> io::Result<()> {
        let mut signals = self.0;
        thread::Builder::new().name("signals".into()).stack_size(256 * 1024).spawn(move || {
            for signal in signals.forever() {
                log::info!("signal {signal}");
                ending.begin();
            }
        })?;
        Ok(())
    }
}

/// The end of a mount process; it comes once, whoever begins it.
pub(super) struct Ending {
    workspace: Arc<dyn Workspace>,
    mounted: Mounted,
    record: MountRecord,
    run: RunDir,
    begun: AtomicBool,
    finished: Mutex<Option<Result<(), Failure>>>,
    link: Option<Arc<Link>>,
    served: (Sender<()>, Receiver<()>),
}

impl Ending {
    pub(super) fn new<W: Workspace>(
        workspace: Arc<W>,
        mounted: Mounted,
        record: MountRecord,
        run: RunDir,
        link: Option<Arc<Link>>,
    ) -> Self {
        let (begun, finished) = (AtomicBool::new(false), Mutex::new(None));
        Self { workspace, mounted, record, run, begun, finished, link, served: bounded(1) }
    }

    /// Takes the mount away, so that serving it comes to its end. Returns at once.
    pub(super) fn begin(self: &Arc<Self>) {
        if self.begun.swap(true, Ordering::SeqCst) {
            return;
        }
        let ending = Arc::clone(self);
        // Unmounting waits for requests that the threads which answer them must be free for.
        let started = thread::Builder::new().name("ending".into()).spawn(move || ending.take_away());
        if let Err(error) = started {
            log::error!("no thread to unmount with: {error}");
            self.begun.store(false, Ordering::SeqCst);
        }
    }

    fn take_away(&self) {
        match self.mounted.unmount(How::Plain) {
            Ok(()) | Err(MountError::NotMounted { .. }) => {}
            Err(error) => {
                log::warn!("{error}: {}", error.hints().join("; "));
                if let Err(error) = self.mounted.unmount(How::Lazy) {
                    log::error!("{error}");
                }
            }
        }
        if self.served.1.recv_timeout(GRACE).is_ok() {
            return;
        }
        // A thread that waits for the kernel's next request cannot be called back, so the process ends around it.
        log::warn!("someone still holds the mount; it ends now");
        let code = i32::from(self.finish().is_err());
        std::process::exit(code);
    }

    /// The connection has ended, by itself or because the mount was taken away.
    pub(super) fn after_last_request(&self, served: io::Result<()>) -> Result<(), Failure> {
        let _nobody_waits = self.served.0.try_send(());
        if let Err(error) = &served {
            log::error!("the connection broke: {error}");
        }
        // After an abort, or when a thread died, the mount is still in the tree and answers nobody.
        if self.mounted.is_there().unwrap_or(false)
            && let Err(error) = self.mounted.unmount(How::Lazy)
        {
            log::error!("{error}");
        }
        let finished = self.finish();
        served.map_err(|error| Failure::new("connection", format!("the connection to the kernel broke: {error}")))?;
        finished
    }

    /// Makes everything durable and removes the traces. The second of two callers waits for the first.
    fn finish(&self) -> Result<(), Failure> {
        let mut finished = self.finished.lock();
        finished
            .get_or_insert_with(|| {
                let result = self.workspace.finish();
                if let Err(failure) = &result {
                    log::error!("the last sync failed: {failure}");
                }
                if self.record.created_mount_point {
                    let _kept_if_used = std::fs::remove_dir(&self.record.mount_point);
                }
                self.record.remove(&self.run);
                if let Some(link) = &self.link {
                    // A keeper that is gone has nothing to keep either.
                    let _unheard = link.say(&Note::Done);
                }
                result
            })
            .clone()
    }
}
