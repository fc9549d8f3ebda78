//! Ctrl-C for work that must end in order: the first asks it to stop, the second stops the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use super::exit::Exit;

/// Has a write beyond the limit on the length of files (`RLIMIT_FSIZE`) fail, instead of ending the process. Programs that
/// are started from here are not concerned: a handler ends with `exec`, other than a signal that is ignored.
pub(super) fn outlive_limits() {
    // Without it the process ends as it would have.
    let _best_effort = flag::register(SIGXFSZ, Arc::default());
}

/// A flag that becomes true with SIGINT or SIGTERM.
pub(super) fn flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, Exit::INTERRUPTED.0.into(), Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
