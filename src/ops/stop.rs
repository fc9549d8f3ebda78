//! What asks a command that is run for somebody to end, whenever it comes: while the command is prepared for, while it
//! runs, and while it is cleaned up after, which is not cut short.

use std::io;
use std::process::{Child, Command, ExitStatus};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::disk::umask;

/// Between whoever gets signals and whoever runs a command.
#[derive(Debug, Default)]
pub struct Stop(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The first signal that came, by its number.
    told: Option<i32>,
    /// The command, from its start until it has ended.
    command: Option<Pid>,
}

impl Stop {
    /// A signal came. It keeps a command that was not started yet from being started; one that runs gets it if `pass_on`
    /// says so.
    pub fn tell(&self, signal: i32, pass_on: bool) {
        let mut state = self.0.lock();
        state.told.get_or_insert(signal);
        if let (true, Some(command), Some(signal)) = (pass_on, state.command, Signal::from_named_raw(signal)) {
            // Whoever may not be sent signals, as a set-uid program, is waited for.
            let _sent = kill_process(command, signal);
        }
    }

    /// The signal that came, by its number.
    #[must_use]
    pub fn told(&self) -> Option<i32> {
        self.0.lock().told
    }

    /// Runs a program until it ends.
    ///
    /// # Errors
    /// It cannot be started, or waited for.
    pub(super) fn run(&self, program: &mut Command) -> io::Result<ExitStatus> {
        let mut child = {
            // Held, so that a signal finds it either not started or there.
            let mut state = self.0.lock();
            let child = umask::spawn_as_started(program)?;
            state.command = pid_of(&child);
            child
        };
        if let Some(pid) = pid_of(&child) {
            // Until it is waited for in earnest, its number is nobody else's.
            while let Err(rustix::io::Errno::INTR) =
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {}
        }
        self.0.lock().command = None;
        child.wait()
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(child.id().cast_signed())
}
