//! Running a command inside a session.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::error::Result;
use super::session_mount::{self, Mount, Request, Server, live_mount, run_dir};
use super::session_unmount::{self, Way};
use super::{Context, Error};

/// What a command ended with, as a shell has it: its code, 128 and the signal's number, 126 or 127 if it did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The code.
    pub code: u8,
}

/// Runs a command in a session's root directory, and waits for it. The session is mounted for it if it is not, and
/// unmounted afterwards; if the command left something behind that uses the mount, it stays.
///
/// # Errors
/// The session cannot be mounted or unmounted. A command that cannot be started is no error but an [`Outcome`].
pub fn run(
    cx: &mut Context,
    session: Option<&str>,
    command: &[OsString],
    server: &Server,
    told: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let session = cx.resolve_session(session)?;
    let mounted = live_mount(&run_dir(cx)?, &session.id)?;
    let (place, own) = match mounted {
        Some(record) => (record.mount_point, None),
        None => {
            let request = Request { session: Some(session.id.clone()), ..Request::default() };
            let mount = session_mount::run(cx, &request, server)?;
            (mount.mount_point.clone(), Some(mount))
        }
    };
    let outcome = run_in(&place, &session.id, command, told);
    if let Some(mount) = own {
        unmount(cx, &mount, told)?;
    }
    Ok(outcome)
}

/// Runs a command with the mount as its working directory.
fn run_in(place: &Path, session_id: &str, command: &[OsString], told: &mut dyn FnMut(&str)) -> Outcome {
    let Some((program, args)) = command.split_first() else { return Outcome { code: NOT_FOUND } };
    let started = Command::new(program)
        .args(args)
        .current_dir(place)
        .env("AETHER_SESSION", session_id)
        .env("PWD", place)
        .status();
    match started {
        Ok(status) => Outcome { code: code_of(status) },
        Err(error) => {
            told(&format!("`{}` cannot be run: {error}", program.display()));
            let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN };
            Outcome { code }
        }
    }
}

/// How long to wait, again and again, for a mount that is still in use when its command has ended.
const PATIENCE: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(400)];

/// Exit codes of `env(1)` for a command that was not found, and for one that could not be run.
const NOT_FOUND: u8 = 127;
const CANNOT_RUN: u8 = 126;

fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn unmount(cx: &mut Context, mount: &Mount, told: &mut dyn FnMut(&str)) -> Result<()> {
    let mut result = session_unmount::run(cx, Some(mount.tag.as_ref()), Way::Plain);
    // What the command started in the background may be about to end.
    for patience in PATIENCE {
        match &result {
            Err(error) if error.code() == "busy" => std::thread::sleep(patience),
            _ => break,
        }
        result = session_unmount::run(cx, Some(mount.tag.as_ref()), Way::Plain);
    }
    match result {
        Ok(_) | Err(Error::NotMounted { .. }) => Ok(()),
        Err(error) if error.code() == "busy" => {
            told(&format!("{error}; it stays mounted"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
