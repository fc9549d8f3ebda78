//! Running a hook: one program in a process group of its own, for a limited time, with bounded output.
//!
//! Its standard input is a file in memory, so that a hook which never reads it hangs nobody. Its standard output and error
//! are one pipe. When the program has ended, or its time is over, all that is left of its process group is killed: the
//! directory that it ran in goes away.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::Interrupts;

/// How much of what a hook prints is kept, in bytes: the end of it.
pub const MAX_OUTPUT_BYTES: usize = 64 << 10;

/// How long a hook that was asked to end may take to do so.
const GRACE: Duration = Duration::from_millis(500);

/// How often, and how long apart, to try again to start a program that somebody is just writing.
const ATTEMPTS: usize = 25;
const PATIENCE: Duration = Duration::from_millis(20);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
    /// It was killed, because its time was over.
    TimedOut,
    /// It was killed, because the user stopped the command.
    Interrupted,
}

/// What came of a program.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// The end of what it printed, at most [`MAX_OUTPUT_BYTES`].
    pub output: Vec<u8>,
    /// Whether it printed more.
    pub is_cut: bool,
    /// How long it took.
    pub took: Duration,
}

/// Runs a program to its end, for at most `limit`.
///
/// # Errors
/// It cannot be started.
pub fn run(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    interrupts: Option<&mut dyn Interrupts>,
) -> io::Result<Ran> {
    let mut stdin = File::from(memfd_create("aether-hook", MemfdFlags::CLOEXEC)?);
    stdin.write_all(input)?;
    stdin.rewind()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    command.stdin(stdin).stdout(Stdio::from(writer.try_clone()?)).stderr(Stdio::from(writer)).process_group(0);
    let began = Instant::now();
    let child = spawn(&mut command)?;
    // It holds the other end of the pipe.
    drop(command);
    let output = Output { pipe: File::from(reader), kept: Vec::new(), is_cut: false, is_open: true };
    let mut watched = Watched { child, output, interrupts };
    let end = watched.wait(began + limit)?;
    let Watched { output, .. } = watched;
    let (kept, is_cut) = output.finish();
    Ok(Ran { end, output: kept, is_cut, took: began.elapsed() })
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempt < ATTEMPTS => {
                std::thread::sleep(PATIENCE);
            }
            result => return result,
        }
    }
}

struct Watched<'a> {
    child: Child,
    output: Output,
    interrupts: Option<&'a mut dyn Interrupts>,
}

/// What woke us.
enum Woken {
    Ended,
    TimeIsOver,
    Stopped,
}

impl Watched<'_> {
    /// Waits, and leaves nothing of the process group behind.
    fn wait(&mut self, until: Instant) -> io::Result<End> {
        let pid = Pid::from_child(&self.child);
        let waited = self.wait_until(pid, until);
        let forced = match &waited {
            Ok(Woken::TimeIsOver) => Some(End::TimedOut),
            Ok(Woken::Stopped) => Some(End::Interrupted),
            Ok(Woken::Ended) | Err(_) => None,
        };
        if forced.is_some() {
            let _asked = kill_process_group(pid, Signal::TERM);
            let _as_it_is_killed = self.wait_until(pid, Instant::now() + GRACE);
        }
        // The leader was not reaped yet, so its number is still that of its group and nobody else's.
        let _gone = kill_process_group(pid, Signal::KILL);
        let status = self.child.wait()?;
        self.output.read_what_is_there();
        waited?;
        let own = status.code().map(End::Code).or_else(|| status.signal().map(End::Signal));
        Ok(forced.or(own).unwrap_or(End::Code(1)))
    }

    fn wait_until(&mut self, pid: Pid, until: Instant) -> io::Result<Woken> {
        let ended = pidfd_open(pid, PidfdFlags::empty())?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let stopped = self.interrupts.as_ref().map(|interrupts| interrupts.heard());
            let mut polled = vec![PollFd::new(&ended, PollFlags::IN)];
            polled.extend(stopped.as_ref().map(|stopped| PollFd::from_borrowed_fd(*stopped, PollFlags::IN)));
            // A pipe that everybody closed would wake us again and again.
            if self.output.is_open {
                polled.push(PollFd::new(&self.output.pipe, PollFlags::IN));
            }
            match poll(&mut polled, Some(&timeout)) {
                Ok(0) => return Ok(Woken::TimeIsOver),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let has_ended = !polled[0].revents().is_empty();
            let was_stopped = stopped.is_some() && !polled[1].revents().is_empty();
            self.output.read_what_is_there();
            if has_ended {
                return Ok(Woken::Ended);
            }
            if was_stopped {
                return Ok(Woken::Stopped);
            }
        }
    }
}

/// What a program prints.
struct Output {
    pipe: File,
    kept: Vec<u8>,
    is_cut: bool,
    is_open: bool,
}

impl Output {
    /// Reads without waiting.
    fn read_what_is_there(&mut self) {
        let mut chunk = [0; 16 << 10];
        // At most so often, so that one who prints without end does not keep us from looking at the clock.
        for _ in 0..64 {
            match self.pipe.read(&mut chunk) {
                Ok(0) => {
                    self.is_open = false;
                    return;
                }
                Ok(count) => {
                    self.kept.extend_from_slice(&chunk[..count]);
                    if self.kept.len() > 2 * MAX_OUTPUT_BYTES {
                        self.cut();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn cut(&mut self) {
        let over = self.kept.len().saturating_sub(MAX_OUTPUT_BYTES);
        self.is_cut |= over > 0;
        self.kept.drain(..over);
    }

    fn finish(mut self) -> (Vec<u8>, bool) {
        self.cut();
        (self.kept, self.is_cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Ran {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, b"{}\n", limit, None).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_prints_on_both_streams_is_kept_with_how_it_ended() {
        let ran = sh("cat; echo out; echo err >&2; exit 3", LONG);
        assert_eq!((ran.end, ran.output.as_slice(), ran.is_cut), (End::Code(3), &b"{}\nout\nerr\n"[..], false));
        assert_eq!(sh("kill -9 $$", LONG).end, End::Signal(9));
    }

    #[test]
    fn only_the_end_of_much_output_is_kept() {
        let ran = sh("yes | head -c 3000000; echo last", LONG);
        assert!(
            ran.is_cut && ran.output.ends_with(b"last\n") && ran.output.len() == MAX_OUTPUT_BYTES,
            "{}",
            ran.end == End::Code(0)
        );
    }

    #[test]
    fn a_hook_that_outlives_its_time_goes_with_all_of_its_group() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("late");
        // The shell and its child both shrug off the friendly signal.
        let script = format!("trap '' TERM; (trap '' TERM; sleep 2; echo >{0}) & echo on; sleep 30", file.display());
        let ran = sh(&script, Duration::from_millis(200));
        assert_eq!((ran.end, ran.output.as_slice()), (End::TimedOut, &b"on\n"[..]));
        assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
        std::thread::sleep(Duration::from_millis(1600));
        assert!(!file.exists());
    }

    #[test]
    fn what_it_leaves_in_the_background_keeps_nobody_waiting() {
        let ran = sh("sleep 30 & echo done", LONG);
        assert_eq!((ran.end, ran.output.as_slice()), (End::Code(0), &b"done\n"[..]));
        assert!(ran.took < Duration::from_secs(20), "{:?}", ran.took);
    }
}
