//! A FUSE connection that is being served.
//!
//! Everything that would change with another transport, or with taking over a live connection, is behind [`Server`].

use std::fmt;
use std::io;
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fuser::Session;

use crate::disk::Gate;
use crate::overlay::Files;

use super::adapter::Adapter;
use super::counters::Counters;
use super::handshake::{self, Handshake};
use super::notify::Invalidations;
use super::spin::Spinner;
use super::turn::{Door, Drain, Repeats, Turns};

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

/// A connection after its handshake. Dropping it ends the connection, and what is mounted of it answers ENOTCONN, unless
/// somebody else has the device open.
pub struct Server<F: Files + ?Sized> {
    session: Session<Adapter<F>>,
    counters: Arc<Counters>,
    invalidations: Invalidations,
    door: Arc<Door>,
    handshake: Handshake,
    /// Whether the kernel is to be asked for what the process before did not answer.
    resumes: bool,
    files: Arc<F>,
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
        Self::begin(files, gate, &device, config, None)
    }

    /// Takes a connection over from a process that is gone, or that has closed its door: answers the requests that it did
    /// not, and those to come. `repeats` hears of the former. The files must be those that were served before.
    ///
    /// # Errors
    /// What the device says; when this program would agree on other things with the kernel than `agreed`.
    pub fn take_over(
        files: Arc<F>,
        gate: Arc<Gate>,
        device: &OwnedFd,
        config: &Config,
        agreed: &Handshake,
        repeats: Arc<dyn Repeats>,
    ) -> io::Result<Self> {
        Self::begin(files, gate, device, config, Some((agreed, repeats)))
    }

    fn begin(
        files: Arc<F>,
        gate: Arc<Gate>,
        device: &OwnedFd,
        config: &Config,
        before: Option<(&Handshake, Arc<dyn Repeats>)>,
    ) -> io::Result<Self> {
        let (counters, door) = (Arc::new(Counters::default()), Arc::new(Door::default()));
        let (invalidations, queued) = Invalidations::queue();
        let turns = Turns {
            counters: Arc::clone(&counters),
            gate,
            spinner: Spinner::new(device.try_clone()?, config.spin),
            door: Arc::clone(&door),
            repeats: before.as_ref().map(|(_, repeats)| Arc::clone(repeats)),
        };
        let adapter =
            Adapter { config: config.clone(), files: Arc::clone(&files), turns, invalidations: invalidations.clone() };
        let mut fuser_config = fuser::Config::default();
        fuser_config.n_threads = Some(config.threads.get());
        fuser_config.clone_fd = config.clone_fd;
        let resumes = before.is_some();
        let (session, handshake) = match before {
            None => handshake::shake(adapter, device, fuser_config)?,
            Some((agreed, _)) => (handshake::again(adapter, device, fuser_config, agreed)?, agreed.clone()),
        };
        queued.start(session.notifier(), device.try_clone()?, Arc::clone(&files))?;
        Ok(Self { session, counters, invalidations, door, handshake, resumes, files })
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

    /// What was agreed with the kernel.
    #[must_use]
    pub fn handshake(&self) -> Handshake {
        self.handshake.clone()
    }

    /// The way to end serving while the connection goes on.
    #[must_use]
    pub fn drain(&self) -> Drain {
        Drain(Arc::clone(&self.door))
    }

    /// Answers requests until the last trace of the mount is gone: unmounted, and no one has a file of it open.
    ///
    /// # Errors
    /// What reading from the device says, or that a thread panicked.
    pub fn run(self) -> io::Result<()> {
        if self.resumes {
            handshake::resend(self.session.as_fd())?;
            // Some may have been closed while nobody could hear of it.
            self.files.doubtful().into_iter().for_each(|ino| self.invalidations.ask(ino));
        }
        self.session.run()
    }
}
