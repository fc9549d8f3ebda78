//! The keeper: a small process beside each mount process, which holds the connection to the kernel.
//!
//! ```text
//! mount process ──starts──▶ keeper ──starts, when that one is gone──▶ mount process
//!       ◀────────── a socket: what to keep, and who is well ──────────▶
//! ```
//!
//! A FUSE connection lives as long as someone has its descriptor open. So a mount process gives a second one to its keeper,
//! with the session's lock and what was agreed with the kernel. When the mount process dies, of a signal, a panic or for
//! want of memory, the keeper starts another one, which takes the connection over; programs notice a pause. When the keeper
//! dies, the mount process starts another. Only when both are killed at once is the connection closed; the watcher then takes
//! the mount away.
//!
//! - When mount processes die one after the other the keeper gives up: it closes the connection and takes the mount away,
//!   so that nobody hangs on it.
//! - A request that was under way in [`MAX_TRIES`] processes that died is not tried again; it is answered with an error.
//! - On a kernel that does not send requests again (before Linux 6.9) those that a dead process had taken would hang for
//!   ever, so there the keeper gives up at once.
//! - A mount process that makes way for another program ends in order and says which; if that one does not serve in time,
//!   the program that served before is started again.
//!
//! The keeper has one thread, sleeps, and knows nothing of sessions.

mod keep;
mod link;
mod packet;
mod watch;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::fuse::Handshake;

use super::{Failure, ProcessId, ServeSpec, path_text};

pub use keep::keep;
pub(super) use link::{Link, Parts, Starting, receive_order, say};

/// This very program, whatever has become of its file.
pub const OWN_EXE: &str = "/proc/self/exe";

/// How often a request is tried that was under way when mount processes died.
const MAX_TRIES: u32 = 2;

/// How a program is run in one of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// The program; [`OWN_EXE`] for the one that runs.
    #[serde(with = "path_text")]
    pub exe: PathBuf,
    /// Its arguments to be a keeper; it then calls [`keep`].
    pub keep: Vec<String>,
    /// Its arguments to be a mount process; it then calls [`serve_child`](super::serve_child).
    pub serve: Vec<String>,
}

impl Roles {
    /// A command that runs the program in a part. Whoever lists processes sees the program's own name.
    fn command(&self, exe: &Path, args: &[String]) -> Command {
        let mut command = Command::new(exe);
        if exe == Path::new(OWN_EXE)
            && let Ok(name) = exe.read_link()
        {
            command.arg0(name);
        }
        command.args(args).current_dir("/").stdout(Stdio::null());
        command
    }
}

/// What stays the same while mount processes come and go, beside descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The name of the record in the run directory.
    pub stem: String,
    /// The kernel's number of the mount.
    pub mount_id: u32,
    /// Its device.
    pub device: String,
    /// What was agreed with the kernel.
    pub handshake: Handshake,
    /// Tells this connection from those before it.
    pub connection: u32,
}

/// The descriptors that are kept.
#[derive(Debug)]
pub(super) struct Descriptors {
    pub device: OwnedFd,
    /// What the workspace wants to have kept.
    pub heirlooms: Vec<OwnedFd>,
    /// What tells the watcher that somebody is there, if there is a watcher.
    pub wire: Option<OwnedFd>,
}

impl Descriptors {
    /// All of them as they are sent: the device first, the wire last.
    fn all(&self) -> Vec<BorrowedFd<'_>> {
        let device = std::iter::once(&self.device);
        device.chain(&self.heirlooms).chain(&self.wire).map(AsFd::as_fd).collect()
    }

    fn split(all: Vec<OwnedFd>, wired: bool) -> Option<Self> {
        let mut all = all.into_iter();
        let (device, mut heirlooms) = (all.next()?, all.collect::<Vec<_>>());
        let wire = if wired { Some(heirlooms.pop()?) } else { None };
        Some(Self { device, heirlooms, wire })
    }
}

/// The first packet to a process that is started as a keeper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    /// To be one.
    Keep(Box<KeepOrder>),
    /// To be the watcher.
    Watch(Box<watch::Remains>),
}

/// What a keeper is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeepOrder {
    roles: Roles,
    spec: ServeSpec,
    kept: Kept,
    server: ProcessId,
    /// Whether the last of the descriptors is the wire to a watcher.
    wired: bool,
}

/// The first packet to a mount process that takes over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TakeOver {
    pub spec: ServeSpec,
    pub kept: Kept,
    pub roles: Roles,
    /// The keeper that sends it.
    pub keeper: ProcessId,
    /// Whether this is another program than the keeper's, which then wants a keeper of its own.
    pub upgrade: bool,
    /// Whether the last of the descriptors is the wire to a watcher.
    #[serde(default)]
    pub wired: bool,
    /// Requests that were under way when processes died, and in how many of them.
    pub suspects: Vec<(u64, u32)>,
    /// Why the program that was to serve instead of this one does not.
    pub refused: Option<Failure>,
}

/// What a mount process says to its keeper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Note {
    /// The connection is taken over.
    Serving,
    /// It is not, for this reason.
    Failed(Failure),
    /// A request that was sent before is under way, or not any more.
    Began(u64),
    Ended(u64),
    /// The mount process ends in order, and this program is to serve in its place.
    Upgrade(#[serde(with = "path_text")] PathBuf),
    /// There is nothing left to keep.
    Done,
}

/// What a keeper says to its mount process: it has what it is to keep.
#[derive(Debug, Serialize, Deserialize)]
struct Holding {
    keeper: ProcessId,
}
