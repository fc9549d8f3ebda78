//! `aether session run`, and `aether run`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{interrupt, names};
use crate::ops::session_run::{self, Order};

use super::mount::server;

/// Run a command in a session
///
/// The command's working directory is the root of the session, which is mounted for it if need be. The exit code is the
/// command's own; 125 says that it could not be prepared for, 126 and 127 that it could not be run, and that there is no
/// such command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session run login-bug -- make test
  aether run login-bug -- sh -c 'echo done >> notes.txt'
  aether run login-bug --same-path -- pwd
  aether run login-bug --accelerate -- make test")]
pub(crate) struct Args {
    /// The session; without it the current one
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// Let the command see the session where its source's directory is, in a mount namespace of its own, so that
    /// absolute paths in build caches stay true and the directory itself is out of reach
    #[arg(long)]
    same_path: bool,
    /// Run the command on kernel overlayfs over the session, in a mount namespace of its own, and take what it changed into
    /// the session when it ends: faster for commands that write much. Nobody else can use the session meanwhile. Where it
    /// cannot be had (above all, where the session is mounted), a warning says why, and the command runs on the mount
    #[arg(long)]
    accelerate: bool,
    /// Report the exit code as the session's health
    #[arg(long)]
    report_health: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let server = server(cx)?;
        let ui = cx.ui.clone();
        let mut warn = |text: &str| ui.warn(text);
        let Self { session, command, same_path, report_health, accelerate } = self;
        let order = Order { command, same_path, report_health, accelerate };
        let signals = interrupt::pass_on()?;
        let outcome = session_run::run(&mut cx.ops, session.as_deref(), &order, &server, &signals.stop, &mut warn)?;
        drop(signals);
        Ok(Exit(outcome.code))
    }
}
