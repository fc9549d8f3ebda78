//! A FUSE connection that is being served.
//!
//! Everything that would change with another transport, or with taking over a live connection, is behind [`Server`].

use std::fmt;
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fuser::{Session, SessionACL};

use crate::disk::Gate;
use crate::overlay::Files;

use super::adapter::Adapter;
use super::counters::Counters;
use super::notify::Invalidations;
use super::spin::Spinner;

/// How a connection is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Threads that answer requests. A request that waits for the disk occupies one.
    pub threads: NonZero<usize>,
    /// Whether each thread reads from a descriptor of its own.
    pub clone_fd: bool,
    /// How long a thread that has answered waits for the next request before it sleeps.
    pub spin: Duration,
    /// Whether the kernel guesses when a listing should bring attributes along; otherwise it always does.
    pub readdirplus_auto: bool,
}

impl Default for Config {
    fn default() -> Self {
        // At least four, so that requests which wait for the disk leave someone to answer the others.
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = NonZero::new(processors.clamp(4, 8)).unwrap_or(NonZero::<usize>::MIN);
        Self { threads, clone_fd: false, spin: Duration::from_micros(50), readdirplus_auto: false }
    }
}

/// A connection after its handshake. Dropping it ends the connection, and what is mounted of it answers ENOTCONN.
pub struct Server<F: Files + ?Sized> {
    session: Session<Adapter<F>>,
    counters: Arc<Counters>,
    invalidations: Invalidations,
}

impl<F: Files + ?Sized> fmt::Debug for Server<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl<F: Files + ?Sized> Server<F> {
    /// Shakes hands with the kernel over the descriptor of a mounted `/dev/fuse`. `gate` is that of the disk that the files
    /// are on. Once this returns, the mount
    /// answers as soon as [`Server::run`] is called.
    ///
    /// # Errors
    /// What the device says; `Unsupported` for a kernel that is too old.
    pub fn new(files: Arc<F>, gate: Arc<Gate>, device: OwnedFd, config: &Config) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let spinner = Spinner::new(device.try_clone()?, config.spin);
        let adapter = Adapter { config: config.clone(), counters: Arc::clone(&counters), files, gate, spinner };
        let mut fuser_config = fuser::Config::default();
        fuser_config.n_threads = Some(config.threads.get());
        fuser_config.clone_fd = config.clone_fd;
        // Who may enter is decided by the kernel (`allow_other`), which is why `fuser` is not asked to.
        let session = Session::from_fd(adapter, device, SessionACL::All, fuser_config)?;
        let invalidations = Invalidations::start(session.notifier())?;
        Ok(Self { session, counters, invalidations })
    }

    /// Where to announce changes made behind the kernel's back.
    #[must_use]
    pub fn invalidations(&self) -> Invalidations {
        self.invalidations.clone()
    }

    /// The counts of requests.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Answers requests until the last trace of the mount is gone: unmounted, and no one has a file of it open.
    ///
    /// # Errors
    /// What reading from the device says, or that a thread panicked.
    pub fn run(self) -> io::Result<()> {
        self.session.run()
    }
}
