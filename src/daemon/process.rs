//! Which process is meant, beyond its number, which is used again.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process of this boot: its number, and when it was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number.
    pub pid: u32,
    /// Clock ticks from the boot to its start.
    pub start_ticks: u64,
    /// The kernel's id of the boot.
    pub boot: String,
}

impl ProcessId {
    /// This process.
    ///
    /// # Errors
    /// What reading `/proc` says.
    pub fn own() -> io::Result<Self> {
        let pid = std::process::id();
        let start_ticks = start_ticks(pid).ok_or_else(|| io::Error::other("`/proc/self/stat` cannot be read"))?;
        Ok(Self { pid, start_ticks, boot: boot_id()? })
    }

    /// Whether it still runs. One that ended and was not waited for does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        start_ticks(self.pid) == Some(self.start_ticks) && boot_id().is_ok_and(|boot| boot == self.boot)
    }

    /// Waits for its end; `false` if it still runs after this time.
    #[must_use]
    pub fn wait_end(&self, limit: Duration) -> bool {
        let Some(Ok(handle)) = self.pid().map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            return !self.is_alive();
        };
        // Only now is it certain that the handle is of the process that is meant.
        if !self.is_alive() {
            return true;
        }
        let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
        let mut handles = [PollFd::new(&handle, PollFlags::IN)];
        matches!(poll(&mut handles, Some(&limit)), Ok(ended) if ended > 0)
    }

    /// Sends it a signal; it is no error if it is gone.
    ///
    /// # Errors
    /// `PermissionDenied` if it is another user's.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) if self.is_alive() => match pidfd_send_signal(&handle, signal) {
                Ok(()) | Err(Errno::SRCH) => Ok(()),
                Err(errno) => Err(errno.into()),
            },
            Ok(_) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }
}

/// When a process was started, if it runs.
fn start_ticks(pid: u32) -> Option<u64> {
    start_in_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/PID/stat` (proc_pid_stat(5)); `None` if it is of a process of which only its remains are there.
///
/// The first thread may be a zombie while others are still on their way out. Until the last of them is gone, the
/// process has its files open and its locks taken, so it counts as running; field 20 is how many threads there are.
fn start_in_stat(stat: &[u8]) -> Option<u64> {
    // The second field is a name in parentheses that may hold anything.
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let mut fields = std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    let threads: u64 = fields.nth(16)?.parse().ok()?;
    if is_dead && threads <= 1 {
        return None;
    }
    fields.nth(1)?.parse().ok()
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn of(pid: u32) -> ProcessId {
        ProcessId { pid, start_ticks: start_ticks(pid).expect("it runs"), boot: boot_id().expect("readable") }
    }

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("started");
        let id = of(child.id());
        assert!(id.is_alive());
        assert!(!id.wait_end(Duration::from_millis(20)));
        id.signal(Signal::TERM).expect("it is ours");
        assert!(id.wait_end(Duration::from_secs(10)));
        // It has not been waited for yet, but counts as ended.
        assert!(!id.is_alive());
        child.wait().expect("waited for");
        id.signal(Signal::TERM).expect("no error for one that is gone");
    }

    #[test]
    fn a_process_runs_until_its_last_thread_is_gone() {
        let stat = |state: &str, threads: u32| {
            let line = format!("7 (a) b) {state} 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 {threads} 0 4242 0 0");
            start_in_stat(line.as_bytes())
        };
        assert_eq!(stat("S", 1), Some(4242));
        assert_eq!(stat("Z", 2), Some(4242));
        assert_eq!(stat("Z", 1), None);
        assert_eq!(stat("X", 0), None);
        assert_eq!(start_in_stat(b""), None);
    }

    #[test]
    fn another_process_with_the_same_number_is_not_taken_for_it() {
        let mut id = ProcessId::own().expect("readable");
        assert!(id.is_alive());
        id.start_ticks += 1;
        assert!(!id.is_alive());
    }
}
