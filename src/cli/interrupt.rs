//! Signals. Work that must end in order is asked to stop by the first Ctrl-C, and the second stops the process. Where a command
//! is run for somebody, the signals are the command's, and what was mounted for it is unmounted when it has ended.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::pipe;
use signal_hook::{SigId, flag, low_level};

use crate::ops::hooks::Interrupts;

use super::exit::Exit;
use crate::ops::stop::Stop;

/// Has a write beyond the limit on the length of files (`RLIMIT_FSIZE`) fail, instead of ending the process. Programs that
/// are started from here are not concerned: a handler ends with `exec`, other than a signal that is ignored.
pub(super) fn outlive_limits() {
    // Without it the process ends as it would have.
    let _best_effort = flag::register(SIGXFSZ, Arc::default());
}

/// Whether somebody else sees to it that the process ends.
static ENDS_IN_ORDER: AtomicBool = AtomicBool::new(false);

/// Hears of SIGINT and SIGTERM for as long as it is there; otherwise they end the process, as they always do.
struct Heard {
    socket: UnixStream,
    is_idle: &'static AtomicBool,
}

impl Interrupts for Heard {
    fn heard(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.is_idle.store(true, Ordering::SeqCst);
    }
}

/// Begins to hear of SIGINT and SIGTERM.
pub(super) fn hear() -> io::Result<Box<dyn Interrupts>> {
    static IDLE: OnceLock<(Arc<AtomicBool>, UnixStream)> = OnceLock::new();
    let (idle, socket) = match IDLE.get() {
        Some(ready) => ready,
        None => {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            let idle = Arc::new(AtomicBool::new(true));
            for signal in [SIGINT, SIGTERM] {
                if !ENDS_IN_ORDER.load(Ordering::SeqCst) {
                    flag::register_conditional_default(signal, Arc::clone(&idle))?;
                }
                pipe::register(signal, writer.try_clone()?)?;
            }
            IDLE.get_or_init(|| (idle, reader))
        }
    };
    // What came before is over.
    while (&*socket).read(&mut [0; 16]).is_ok_and(|count| count > 0) {}
    let heard = Heard { socket: socket.try_clone()?, is_idle: idle };
    idle.store(false, Ordering::SeqCst);
    Ok(Box::new(heard))
}

/// A flag that becomes true with SIGINT or SIGTERM.
pub(super) fn flag() -> io::Result<Arc<AtomicBool>> {
    Ok(register()?.0)
}

/// As [`flag`], until that which comes with it is dropped.
pub(super) fn flag_until() -> io::Result<(Arc<AtomicBool>, Until)> {
    let (stop, handlers) = register()?;
    Ok((stop, Until(handlers)))
}

fn register() -> io::Result<(Arc<AtomicBool>, Vec<SigId>)> {
    let (stop, mut handlers) = (Arc::new(AtomicBool::new(false)), Vec::new());
    ENDS_IN_ORDER.store(true, Ordering::SeqCst);
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, and sets it.
        let shutdown = flag::register_conditional_shutdown(signal, Exit::INTERRUPTED.0.into(), Arc::clone(&stop))?;
        handlers.extend([shutdown, flag::register(signal, Arc::clone(&stop))?]);
    }
    Ok((stop, handlers))
}

/// Handlers of signals that go with this.
pub(super) struct Until(Vec<SigId>);

impl Drop for Until {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            low_level::unregister(id);
        }
    }
}

/// Passes signals on to a command that is run, until that which it returns is dropped: from then on they end the process. A
/// terminal sends SIGINT and SIGQUIT to the command itself. What the process was started to ignore stays ignored, by the
/// command too.
pub(super) fn pass_on() -> io::Result<PassOn> {
    ENDS_IN_ORDER.store(true, Ordering::SeqCst);
    let ignored = ignored();
    let own = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(own)?;
    let (handle, stop) = (signals.handle(), Arc::new(Stop::default()));
    let told = Arc::clone(&stop);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            told.tell(signal, matches!(signal, SIGTERM | SIGHUP));
        }
    })?;
    Ok(PassOn { stop, handle })
}

/// Signals on their way to a command.
pub(super) struct PassOn {
    /// Who starts the command is told here.
    pub(super) stop: Arc<Stop>,
    handle: Handle,
}

impl Drop for PassOn {
    fn drop(&mut self) {
        self.handle.close();
        for signal in [SIGINT, SIGTERM] {
            // Without it the signal has no effect, and others have.
            let always = Arc::new(AtomicBool::new(true));
            let _best_effort = flag::register_conditional_shutdown(signal, Exit::INTERRUPTED.0.into(), always);
        }
    }
}

/// The signals that are ignored, the lowest bit being that of signal 1.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
