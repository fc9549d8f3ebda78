//! Starting a mount process, and waiting until it is ready: the parent's side.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::ready::{MAX_READY_BYTES, Message};
use super::{Failure, MemoryLimits, Ready, ServeSpec, logger};

/// Starts `exe args…`, which must call [`serve_child`](super::serve_child), and waits until its mount answers.
///
/// # Errors
/// [`Failure`]: what the process said; `spawn` if it could not be started or ended without a word; `timeout` if it said
/// nothing within `limit`, in which case it was killed.
pub fn spawn(exe: &Path, args: &[&str], spec: &ServeSpec, limit: Duration) -> Result<Ready, Failure> {
    let log = logger::open(&spec.log).map_err(|error| Failure::io(&spec.log, &error))?;
    let mut command = Command::new(exe);
    if MemoryLimits::of_process().addresses.is_some() {
        // Of what the C library sets aside for each thread, a few are enough; it would use up all addresses.
        command.env("MALLOC_ARENA_MAX", "1");
    }
    command.args(args).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    // SAFETY: `keep_to_standard_streams` only makes system calls, on memory of its own stack, so it is safe to run
    // between fork and exec of a process with threads.
    unsafe {
        command.pre_exec(keep_to_standard_streams);
    }
    let mut child = command.spawn().map_err(|error| Failure::io(exe, &error))?;
    let result = converse(&mut child, spec, limit);
    match &result {
        // It is waited for so that a long-lived parent keeps no remains of it.
        Ok(_) => drop(thread::Builder::new().name("reaper".into()).stack_size(64 * 1024).spawn(move || child.wait())),
        Err(_) => {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
    result
}

/// Hands the order over and waits for the answer.
fn converse(child: &mut Child, spec: &ServeSpec, limit: Duration) -> Result<Ready, Failure> {
    let broken = |error: io::Error| Failure::new("spawn", format!("the mount process cannot be talked to: {error}"));
    let (Some(mut order), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(broken(io::ErrorKind::BrokenPipe.into()));
    };
    let text = serde_json::to_vec(spec).map_err(|error| broken(error.into()))?;
    // A process that ended already is found out by its answer.
    match order.write_all(&text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(broken(error)),
        _ => drop(order),
    }
    let line = read_line(answer, limit).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            Failure::new("timeout", format!("the mount process did not become ready within {limit:?}"))
                .hint(see_log(&spec.log))
        }
        _ => broken(error),
    })?;
    match serde_json::from_slice(&line) {
        Ok(Message::Ready(ready)) => Ok(ready),
        Ok(Message::Error(failure)) => Err(failure),
        Err(_) => {
            let status = child.wait().ok().as_ref().map_or_else(|| "it ended".into(), ExitStatus::to_string);
            let text = format!("the mount process ended before it was ready: {status}");
            Err(Failure::new("spawn", text).hint(see_log(&spec.log)))
        }
    }
}

fn see_log(log: &Path) -> String {
    format!("see its log `{}`", log.display().to_string().escape_debug())
}

/// Reads up to the first newline, or to the end.
fn read_line(mut pipe: ChildStdout, limit: Duration) -> io::Result<Vec<u8>> {
    let end = Instant::now() + limit;
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    while !line.contains(&b'\n') && line.len() < MAX_READY_BYTES {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => match pipe.read(&mut chunk)? {
                0 => break,
                count => line.extend_from_slice(&chunk[..count]),
            },
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(line)
}

/// Marks every descriptor but the standard ones to be closed by exec. What the user's shell left open (a lock file, the
/// pipe of a script) must not live as long as the mount.
fn keep_to_standard_streams() -> io::Result<()> {
    let dir = rustix::fs::open(c"/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut space = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(dir.as_fd(), &mut space);
    while let Some(entry) = entries.next() {
        let number = entry?.file_name().to_bytes().iter().try_fold(0i32, |value, &digit| match digit {
            b'0'..=b'9' => value.checked_mul(10)?.checked_add(i32::from(digit - b'0')),
            _ => None,
        });
        if let Some(number @ 3..) = number {
            // SAFETY: the descriptor was just listed as open, and between fork and exec nobody closes it.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}
