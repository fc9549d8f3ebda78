//! The mount process's side: starting a keeper, telling it what to keep, and starting another when it dies.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::fuse::Repeats;

use super::super::registry::MountRecord;
use super::super::{Failure, ProcessId, RunDir};
use super::watch::{self, Remains};
use super::{Descriptors, Holding, KeepOrder, Kept, MAX_TRIES, Note, Part, Roles, ServeSpec, TakeOver, packet};

/// How long a keeper may take to say that it has what it is to keep.
const HOLDING_LIMIT: Duration = Duration::from_secs(5);

/// A keeper that lived less long than this was no use.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// How many keepers may be of no use in a row before no more are started.
const MAX_SHORT_LIVES: u32 = 5;

/// Reads the order from a keeper, if that is who is at the other end of the standard input.
pub(in crate::daemon) fn receive_order(input: &OwnedFd) -> io::Result<Option<(TakeOver, Descriptors)>> {
    match rustix::net::sockopt::socket_type(input) {
        Ok(rustix::net::SocketType::SEQPACKET) => {}
        _ => return Ok(None),
    }
    let nothing = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (order, descriptors) = packet::receive::<TakeOver>(input, true)?.ok_or_else(nothing)?;
    let wired = order.wired;
    Ok(Some((order, Descriptors::split(descriptors, wired).ok_or_else(nothing)?)))
}

/// Says something to a keeper.
pub(in crate::daemon) fn say(socket: &OwnedFd, note: &Note) -> io::Result<()> {
    packet::send(socket, note, &[])
}

/// The tie to the keeper.
pub(in crate::daemon) struct Link {
    socket: Mutex<Option<Arc<OwnedFd>>>,
    /// The keeper, if this process started it.
    child: Mutex<Option<Child>>,
    /// What a new keeper is told.
    order: KeepOrder,
    descriptors: Descriptors,
    run: RunDir,
    record: Arc<Mutex<MountRecord>>,
    ended: AtomicBool,
    /// Requests that died with how many processes.
    suspects: Mutex<HashMap<u64, u32>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("kept", &self.order.kept).finish_non_exhaustive()
    }
}

/// A keeper that was started and told nothing yet.
pub(in crate::daemon) struct Starting {
    socket: OwnedFd,
    child: Child,
}

impl Starting {
    /// Starts a keeper, which takes a moment to be there.
    pub(in crate::daemon) fn start(roles: &Roles) -> io::Result<Self> {
        let (ours, theirs) = packet::pair()?;
        let mut command = roles.command(&roles.exe, &roles.keep);
        Ok(Self { socket: ours, child: command.stdin(Stdio::from(theirs)).spawn()? })
    }

    /// Tells it what to keep and waits until it has it.
    fn entrust(self, order: &KeepOrder, descriptors: &Descriptors) -> io::Result<(OwnedFd, Child, ProcessId)> {
        packet::send(&self.socket, &Part::Keep(Box::new(order.clone())), &descriptors.all())?;
        let limit = Timespec { tv_sec: HOLDING_LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
        if poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&limit))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match packet::receive::<Holding>(&self.socket, false)? {
            Some((holding, _)) => Ok((self.socket, self.child, holding.keeper)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// What a link is made of.
pub(in crate::daemon) struct Parts {
    pub roles: Roles,
    pub spec: ServeSpec,
    pub kept: Kept,
    pub descriptors: Descriptors,
    pub run: RunDir,
    pub record: Arc<Mutex<MountRecord>>,
    pub suspects: Vec<(u64, u32)>,
}

impl Link {
    /// Entrusts a keeper with the connection, and watches it from then on. Writes its process into the record.
    pub(in crate::daemon) fn establish(mut parts: Parts, starting: io::Result<Starting>) -> Result<Arc<Self>, Failure> {
        match watch::start(&parts.roles, Remains::of(&parts.spec, &parts.kept)) {
            Ok(wire) => parts.descriptors.wire = Some(wire),
            Err(error) => log::error!("no watcher could be started: {error}"),
        }
        let link = Self::of(parts, None);
        starting.and_then(|starting| link.adopt(starting)).map_err(|error| no_keeper(&error))?;
        Self::watched(link)
    }

    /// Goes on with the keeper that started this process.
    pub(in crate::daemon) fn inherit(parts: Parts, socket: OwnedFd) -> Result<Arc<Self>, Failure> {
        Self::watched(Self::of(parts, Some(socket)))
    }

    fn of(parts: Parts, socket: Option<OwnedFd>) -> Self {
        let Parts { roles, spec, kept, descriptors, run, record, suspects } = parts;
        let server = record.lock().process.clone();
        let order = KeepOrder { roles, spec, kept, server, wired: descriptors.wire.is_some() };
        let suspects = Mutex::new(suspects.into_iter().collect());
        let (socket, child) = (Mutex::new(socket.map(Arc::new)), Mutex::new(None));
        Self { socket, child, order, descriptors, run, record, ended: AtomicBool::new(false), suspects }
    }

    fn watched(link: Self) -> Result<Arc<Self>, Failure> {
        let link = Arc::new(link);
        let watched = Arc::clone(&link);
        let thread = thread::Builder::new().name("keeper".into()).stack_size(256 * 1024);
        thread.spawn(move || watched.watch()).map_err(|error| no_keeper(&error))?;
        Ok(link)
    }

    fn adopt(&self, starting: Starting) -> io::Result<()> {
        let (socket, child, keeper) = starting.entrust(&self.order, &self.descriptors)?;
        self.record.lock().keeper = Some(keeper);
        *self.child.lock() = Some(child);
        let before = self.socket.lock().replace(Arc::new(socket));
        // One that is relieved ends; one that is dead does not hear it.
        before.map_or(Ok(()), |before| packet::send(&*before, &Note::Done, &[]).or(Ok(())))
    }

    /// Puts a keeper of this process's own program in the place of the one there is, while requests are answered.
    pub(in crate::daemon) fn relieve_soon(self: &Arc<Self>) {
        let link = Arc::clone(self);
        let relieve = move || {
            let adopted = Starting::start(&link.order.roles).and_then(|starting| link.adopt(starting));
            let written = adopted.and_then(|()| link.record.lock().write(&link.run).map_err(io::Error::other));
            if let Err(error) = written {
                log::error!("the keeper of the program before stays: {error}");
            }
        };
        let _stays = thread::Builder::new().name("relief".into()).stack_size(256 * 1024).spawn(relieve);
    }

    /// Whether the kernel sends requests again that this process takes with it.
    pub(in crate::daemon) fn can_resend(&self) -> bool {
        self.order.kept.handshake.can_resend()
    }

    /// Waits for the keeper's death, and starts another.
    fn watch(&self) {
        let mut short_lives = 0;
        while short_lives < MAX_SHORT_LIVES {
            let begun = Instant::now();
            let Some(socket) = self.socket.lock().clone() else { return };
            // It says nothing more, so this is its end.
            while let Err(Errno::INTR) = poll(&mut [PollFd::new(&*socket, PollFlags::IN)], None) {}
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let relieved = !self.socket.lock().as_ref().is_some_and(|now| Arc::ptr_eq(now, &socket));
            if relieved {
                continue;
            }
            if let Some(mut child) = self.child.lock().take() {
                let _reaped = child.wait();
            }
            log::warn!("the keeper is gone; another one is started");
            short_lives = if begun.elapsed() < SHORT_LIFE { short_lives + 1 } else { 0 };
            match Starting::start(&self.order.roles).and_then(|starting| self.adopt(starting)) {
                Ok(()) => {
                    if let Err(failure) = self.record.lock().write(&self.run) {
                        log::error!("{failure}");
                    }
                }
                Err(error) => {
                    log::error!("no keeper could be started: {error}");
                    thread::sleep(Duration::from_millis(200));
                    short_lives += 1;
                }
            }
        }
        self.record.lock().keeper = None;
        log::error!("keepers die at once; if this process dies now, the mount is gone");
    }

    /// Says something to the keeper, if it is there.
    pub(in crate::daemon) fn say(&self, note: &Note) -> io::Result<()> {
        if matches!(note, Note::Done | Note::Upgrade(_)) {
            self.ended.store(true, Ordering::SeqCst);
        }
        let socket = self.socket.lock().clone();
        match socket {
            Some(socket) => packet::send(&*socket, note, &[]),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Whether the connection would live on without this process.
    pub(in crate::daemon) fn is_kept(&self) -> bool {
        self.record.lock().is_kept()
    }
}

fn no_keeper(error: &io::Error) -> Failure {
    Failure::new("keeper", format!("no keeper could be started: {error}"))
}

impl Repeats for Link {
    fn begin(&self, request: u64) -> bool {
        if self.suspects.lock().get(&request).is_some_and(|tries| *tries >= MAX_TRIES) {
            log::error!("request {request} killed {MAX_TRIES} mount processes; it is answered with an error");
            return false;
        }
        let _unheard = self.say(&Note::Began(request));
        true
    }

    fn end(&self, request: u64) {
        let _unheard = self.say(&Note::Ended(request));
    }
}
