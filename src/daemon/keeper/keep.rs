//! The keeper itself.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::stdio::stdin;

use super::super::{Failure, ProcessId, logger};
use super::watch::{Remains, watch};
use super::{Descriptors, Holding, KeepOrder, Note, Part, TakeOver, packet};

/// So many processes die at once within this time, and the keeper gives up.
const MAX_DEATHS: usize = 5;
const DEATHS_WITHIN: Duration = Duration::from_secs(10);

/// One that served for longer did not die at once.
const AT_ONCE: Duration = Duration::from_millis(250);

/// For so long after the mount was last served, processes that die before they serve are followed by another.
const TRY_FOR: Duration = Duration::from_millis(1500);

/// How long a process may take until it serves: a long journal has to be read. Then it counts as dead.
const SERVE_LIMIT: Duration = Duration::from_secs(60);

/// The same for another program, in whose place the one before can still serve.
const UPGRADE_LIMIT: Duration = Duration::from_secs(5);

/// Keeps what the packet on the standard input brings, until there is nothing left to keep.
///
/// # Errors
/// [`Failure`] when there is no order, or when nobody could take the mount over.
pub fn keep() -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::new("keeper", format!("the order cannot be read: {error}"));
    let talk = stdin().try_clone_to_owned().map_err(broken)?;
    // A mount process that could not mount has nothing to keep.
    let Some((part, descriptors)) = packet::receive::<Part>(&talk, true).map_err(broken)? else { return Ok(()) };
    let order = match part {
        Part::Keep(order) => *order,
        Part::Watch(remains) => {
            watch(&talk, &remains);
            return Ok(());
        }
    };
    let descriptors =
        Descriptors::split(descriptors, order.wired).ok_or_else(|| broken(io::ErrorKind::UnexpectedEof.into()))?;
    if let Ok(log) = logger::open(&order.spec.log) {
        logger::start(log, &order.spec.log_level);
    }
    // Started by the name of a link, it would be called by that.
    let _stays = rustix::thread::set_name(c"aether-keeper");
    let keeper = ProcessId::own().map_err(broken)?;
    let handle = handle_of(&order.server).map_err(broken)?;
    packet::send(&talk, &Holding { keeper: keeper.clone() }, &[]).map_err(broken)?;
    let served = Served { handle, child: None, talk: Some(talk), serving: true, began: Vec::new(), upgrade: false };
    let mut keeper = Keeper {
        order,
        descriptors,
        own: keeper,
        served,
        suspects: Vec::new(),
        deaths: VecDeque::new(),
        last_served: Instant::now(),
        next: None,
        refused: None,
        failed: None,
    };
    keeper.run()
}

fn handle_of(process: &ProcessId) -> io::Result<OwnedFd> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// A mount process.
struct Served {
    handle: OwnedFd,
    /// Itself, if this keeper started it.
    child: Option<Child>,
    /// The way to it, as long as it listens.
    talk: Option<OwnedFd>,
    /// Whether it answers the kernel, and since when it should.
    serving: bool,
    /// Requests under way that were sent before.
    began: Vec<u64>,
    /// Whether it runs another program than this one.
    upgrade: bool,
}

struct Keeper {
    order: KeepOrder,
    descriptors: Descriptors,
    own: ProcessId,
    served: Served,
    suspects: Vec<(u64, u32)>,
    deaths: VecDeque<Instant>,
    last_served: Instant,
    /// The program that is to serve next, if it is another one.
    next: Option<PathBuf>,
    /// Why another program does not serve.
    refused: Option<Failure>,
    /// Why this one does not.
    failed: Option<Failure>,
}

/// What woke the keeper up.
enum Woken {
    Note,
    Dead,
    TooLate,
}

impl Keeper {
    fn run(&mut self) -> Result<(), Failure> {
        let mut started = Instant::now();
        loop {
            let woken = self.wait(started);
            if self.take_notes() {
                return Ok(());
            }
            match woken {
                Woken::Note => continue,
                Woken::TooLate => {
                    log::error!("the mount process does not serve in time");
                    let _gone = pidfd_send_signal(&self.served.handle, Signal::KILL);
                    let _ended = poll(&mut [PollFd::new(&self.served.handle, PollFlags::IN)], None);
                    if self.take_notes() {
                        return Ok(());
                    }
                }
                Woken::Dead => {}
            }
            loop {
                if let Err(failure) = self.after_death() {
                    log::error!("nobody can take the mount over: {failure}");
                    self.give_up();
                    return Err(failure);
                }
                started = Instant::now();
                match self.start() {
                    Ok(served) => break self.served = served,
                    Err(error) => {
                        log::error!("no mount process could be started: {error}");
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            }
        }
    }

    /// Sleeps until the mount process says something, dies, or takes too long to serve.
    fn wait(&self, started: Instant) -> Woken {
        loop {
            let limit = if self.served.upgrade { UPGRADE_LIMIT } else { SERVE_LIMIT };
            let left = limit.saturating_sub(started.elapsed());
            if !self.served.serving && left.is_zero() {
                return Woken::TooLate;
            }
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let timeout = (!self.served.serving).then_some(&left);
            let mut sources = vec![PollFd::new(&self.served.handle, PollFlags::IN)];
            sources.extend(self.served.talk.as_ref().map(|talk| PollFd::new(talk, PollFlags::IN)));
            match poll(&mut sources, timeout) {
                Ok(0) => return Woken::TooLate,
                Ok(_) if sources[0].revents().is_empty() => return Woken::Note,
                Ok(_) => return Woken::Dead,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    log::error!("the keeper cannot wait: {errno}");
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// Takes what the mount process has said; `true` when there is nothing left to keep.
    fn take_notes(&mut self) -> bool {
        while let Some(talk) = &self.served.talk {
            match packet::receive::<Note>(talk, false) {
                Ok(Some((note, _))) => match note {
                    Note::Done => return true,
                    Note::Serving => {
                        self.served.serving = true;
                        self.last_served = Instant::now();
                    }
                    Note::Failed(failure) if self.served.upgrade => self.refused = Some(failure),
                    Note::Failed(failure) => self.failed = Some(failure),
                    Note::Began(request) => self.served.began.push(request),
                    Note::Ended(request) => self.served.began.retain(|began| *began != request),
                    Note::Upgrade(exe) => self.next = Some(exe),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It closed its end, or makes no sense; its death is noticed in another way.
                Ok(None) | Err(_) => self.served.talk = None,
            }
        }
        false
    }

    /// Decides whether another process is to be started.
    fn after_death(&mut self) -> Result<(), Failure> {
        let how = match self.served.child.as_mut().map(Child::wait) {
            Some(Ok(status)) => status.to_string(),
            _ => "it is gone".into(),
        };
        if self.next.is_some() {
            return Ok(());
        }
        if self.served.upgrade && !self.served.serving {
            let silent = || Failure::new("upgrade-failed", format!("the program did not serve: {how}"));
            self.refused.get_or_insert_with(silent);
            log::error!("the other program did not take over; the one before goes on");
            return Ok(());
        }
        log::error!("the mount process died: {how}");
        for request in std::mem::take(&mut self.served.began) {
            match self.suspects.iter_mut().find(|(suspect, _)| *suspect == request) {
                Some((_, tries)) => *tries += 1,
                None => self.suspects.push((request, 1)),
            }
        }
        let now = Instant::now();
        if self.served.serving {
            if self.last_served.elapsed() > AT_ONCE {
                self.deaths.clear();
            }
            self.last_served = now;
        }
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now - *death > DEATHS_WITHIN) {
            self.deaths.pop_front();
        }
        if self.deaths.len() >= MAX_DEATHS {
            return Err(Failure::new("crash-loop", format!("{MAX_DEATHS} mount processes died within seconds")));
        }
        if !self.served.serving && self.last_served.elapsed() > TRY_FOR {
            let failed = Failure::new("take-over", format!("the mount process cannot serve: {how}"));
            return Err(self.failed.take().unwrap_or(failed));
        }
        if !self.order.kept.handshake.can_resend() {
            return Err(Failure::new("take-over", "the kernel does not send requests again, which needs Linux 6.9"));
        }
        Ok(())
    }

    fn start(&mut self) -> io::Result<Served> {
        let next = self.next.take();
        let (ours, theirs) = packet::pair()?;
        let exe = next.as_deref().unwrap_or(&self.order.roles.exe);
        let mut command = self.order.roles.command(exe, &self.order.roles.serve);
        let mut child = match command.stdin(Stdio::from(theirs)).spawn() {
            Ok(child) => child,
            Err(error) => {
                if let Some(exe) = &next {
                    self.refused = Some(Failure::io(exe, &error));
                }
                return Err(error);
            }
        };
        // The command holds the other end of the socket.
        drop(command);
        let order = TakeOver {
            spec: self.order.spec.clone(),
            kept: self.order.kept.clone(),
            roles: self.order.roles.clone(),
            keeper: self.own.clone(),
            upgrade: next.is_some(),
            wired: self.descriptors.wire.is_some(),
            suspects: self.suspects.clone(),
            refused: if next.is_some() { None } else { self.refused.take() },
        };
        let ready = packet::send(&ours, &order, &self.descriptors.all()).and_then(|()| {
            let pid = Pid::from_child(&child);
            Ok(pidfd_open(pid, PidfdFlags::empty())?)
        });
        match ready {
            Ok(handle) => {
                let talk = Some(ours);
                let (serving, began) = (false, Vec::new());
                Ok(Served { handle, child: Some(child), talk, serving, began, upgrade: next.is_some() })
            }
            Err(error) => {
                let _gone = child.kill();
                let _reaped = child.wait();
                if next.is_some() {
                    // One that ends at once may do so before it is told anything.
                    let why = format!("the program did not serve: {error}");
                    self.refused = Some(Failure::new("upgrade-failed", why));
                }
                Err(error)
            }
        }
    }

    /// Closes the connection, so that everybody who waits gets an error, and takes away what is left of the mount.
    fn give_up(&mut self) {
        // In its place stands something that is nobody's connection.
        if let Ok(null) = rustix::fs::open("/dev/null", rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty()) {
            self.descriptors.device = null;
        }
        Remains::of(&self.order.spec, &self.order.kept).clear();
    }
}
