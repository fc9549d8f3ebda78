//! The umask, which a user may have set so that it shuts out its own owner.
//!
//! What aether keeps is opened again by the next process of the same user, so bits of the owner are never masked in files
//! that it makes. Programs that it starts for the user are another matter: these have the umask that it was started with.

use std::io;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::Mode;
use rustix::process::umask;

/// The bits that were taken out of the umask.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Takes the owner's bits out of this process's umask.
pub fn let_owner_in() {
    let before = umask(Mode::RWXG | Mode::RWXO);
    umask(before.difference(Mode::RWXU));
    TAKEN.fetch_or(before.intersection(Mode::RWXU).bits(), Ordering::Relaxed);
}

/// Starts a program of the user's with the umask that this process was started with.
///
/// # Errors
/// It cannot be started.
pub fn spawn_as_started(program: &mut Command) -> io::Result<Child> {
    put_back();
    let child = program.spawn();
    let_owner_in();
    child
}

/// Gives the process the umask back that it was started with: it is about to become another program.
pub fn put_back() {
    let taken = Mode::from_bits_truncate(TAKEN.load(Ordering::Relaxed));
    if !taken.is_empty() {
        let now = umask(Mode::RWXG | Mode::RWXO);
        umask(now.union(taken));
    }
}
