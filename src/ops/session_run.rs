//! Running a command inside a session.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::{Value, json};

use crate::catalog::{ObjectType, Session, SourceKind};

use super::accelerate::{self, Attempt};
use super::command_text::command_text;
use super::error::Result;
use super::health::{self, Report};
use super::run_place;
use super::run_summary::{self, Summary};
use super::session_mount::{Server, run_dir};
use super::stop::Stop;
use super::{Context, time};

/// What a command ended with, as a shell has it: its code, 128 and the signal's number, 126 or 127 if it did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The code.
    pub code: u8,
}

/// The variable that tells commands in a session which command they belong to.
pub const VIA: &str = "AETHER_VIA";

/// Why a command is not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no directory that the session could stand for.
    #[error("session `{session}` cannot be shown where it came from: {why}")]
    NoPlace {
        /// The session.
        session: String,
        /// Why not.
        why: &'static str,
    },
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Order {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Whether it sees the session where the directory is that the session's source was imported from.
    pub same_path: bool,
    /// Whether what it ends with is reported as the session's health.
    pub report_health: bool,
    /// Whether it runs on kernel overlayfs over the session, where that can be had.
    pub accelerate: bool,
}

/// A command that was run.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// When it ended, in nanoseconds since the Unix epoch.
    pub(super) ended_ns: i64,
    /// What it changed, if that could be found out.
    pub(super) files: Option<Value>,
}

/// Runs a command in a session's root directory, and waits for it. The session is mounted for it if it is not, and
/// unmounted afterwards, by the last of several that run at once; if the command left something behind that uses the
/// mount, it stays. What the command changed is in the history. What `stop` is told, the command gets; the rest is done
/// all the same. Where it was to be accelerated and cannot be, `told` hears why.
///
/// # Errors
/// The session cannot be mounted or unmounted. A command that cannot be started is no error but an [`Outcome`].
pub fn run(
    cx: &mut Context,
    session: Option<&str>,
    order: &Order,
    server: &Server,
    stop: &Stop,
    told: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let session = cx.resolve_session(session)?;
    let over = if order.same_path { Some(origin(cx, &session)?) } else { None };
    let accelerated = match order.accelerate {
        true => accelerate::attempt(cx, &session, over.as_deref(), order, server, stop, told)?,
        false => Attempt::Refused(None),
    };
    let ran = match accelerated {
        Attempt::Ran(ran) => ran,
        Attempt::Refused(why) => {
            if let Some(why) = why {
                told(&format!("not accelerated, because {why}; the command runs on the mount"));
            }
            on_mount(cx, &session, over.as_deref(), order, server, stop, told)?
        }
    };
    let (outcome, text) = (ran.outcome, order.text());
    let started_ns = std::mem::replace(&mut cx.now_ns, ran.ended_ns);
    let duration_ms = (cx.now_ns - started_ns) / 1_000_000;
    let details = json!({ "command": text, "exit_code": outcome.code, "duration_ms": duration_ms, "files": ran.files });
    cx.write(|tx| Ok(tx.event("session.run", ObjectType::Session, &session.id, &details)?))?;
    if order.report_health {
        let exit_code = Some(i64::from(outcome.code));
        health::report(cx, &Report { session: Some(session.id), exit_code, command: Some(text), ..Report::default() })?;
    }
    Ok(outcome)
}

/// Runs the command on the session's mount.
fn on_mount(
    cx: &mut Context,
    session: &Session,
    over: Option<&Path>,
    order: &Order,
    server: &Server,
    stop: &Stop,
    told: &mut dyn FnMut(&str),
) -> Result<Ran> {
    let place = run_place::enter(cx, session, server)?;
    // Not being able to look keeps nobody from running.
    let before = run_summary::look(cx, session).ok();
    let outcome = match (stop.told(), over) {
        (Some(signal), _) => Outcome { code: code_after(signal) },
        (None, Some(over)) => {
            let mut inside = order.inside(server, session);
            inside.args([place.dir.as_path(), over]).arg("--").args(&order.command);
            ended(inside, stop, told)
        }
        (None, None) => ended(run_in(&place.dir, &session.id, order), stop, told),
    };
    let ended_ns = time::now_ns();
    let after = run_summary::look(cx, session).ok();
    run_place::leave(cx, place, told)?;
    let files = before.zip(after).map(|(before, after)| Summary::between(&before, &after).details());
    Ok(Ran { outcome, ended_ns, files })
}

impl Order {
    /// The process that becomes the command in a namespace of its own; what stands where is still to be said.
    pub(super) fn inside(&self, server: &Server, session: &Session) -> Command {
        let mut program = Command::new(&server.exe);
        program.arg("inside").env("AETHER_SESSION", &session.id).env(VIA, self.text());
        program
    }

    fn text(&self) -> String {
        command_text(self.command.iter().map(OsString::as_os_str))
    }
}

/// The directory that a session came from, if a mount can stand there.
fn origin(cx: &mut Context, session: &Session) -> Result<PathBuf> {
    let refused = |why| RunError::NoPlace { session: session.name.clone(), why };
    let id = session.base.source.clone().ok_or_else(|| refused("it has no source"))?;
    let source = cx.catalog()?.view().source_by_id(&id)?;
    let place = source.filter(|source| source.kind == SourceKind::Dir).and_then(|source| source.origin);
    let place = place.ok_or_else(|| refused("its source was not imported from a directory"))?;
    if !place.is_dir() {
        return Err(refused("the directory it came from is not there").into());
    }
    // What aether itself needs must stay in sight.
    let run_dir = run_dir(cx)?;
    let own = [cx.paths.data.as_path(), run_dir.path()];
    if own.iter().any(|own| own.canonicalize().is_ok_and(|own| own.starts_with(&place))) {
        return Err(refused("aether's own data are below the directory it came from").into());
    }
    Ok(place)
}

/// A command with the mount as its working directory.
fn run_in(place: &Path, session_id: &str, order: &Order) -> Command {
    let mut program = Command::new(order.command.first().map_or(OsStr::new(""), OsString::as_os_str));
    program
        .args(order.command.iter().skip(1))
        .current_dir(place)
        .env("AETHER_SESSION", session_id)
        .env("PWD", place)
        .env(VIA, order.text());
    program
}

/// Runs a program and waits for it.
pub(super) fn ended(mut program: Command, stop: &Stop, told: &mut dyn FnMut(&str)) -> Outcome {
    match stop.run(&mut program) {
        Ok(status) => Outcome { code: code_of(status) },
        Err(error) => {
            told(&format!("`{}` cannot be run: {error}", Path::new(program.get_program()).display()));
            let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN };
            Outcome { code }
        }
    }
}

/// Exit codes of `env(1)` for a command that was not found, and for one that could not be run.
const NOT_FOUND: u8 = 127;
const CANNOT_RUN: u8 = 126;

fn code_of(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (None, Some(signal)) => code_after(signal),
        (code, _) => code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    }
}

/// The code of what a signal ended.
pub(super) fn code_after(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(1)
}
