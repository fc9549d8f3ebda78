//! `aether session run`, and `aether run`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::session_run;

use super::mount::server;

/// Run a command in a session
///
/// The command's working directory is the root of the session, which is mounted for it if need be. The exit code is the
/// command's own; 126 and 127 say that it could not be run, and that there is no such command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session run login-bug -- make test
  aether run login-bug -- sh -c 'echo done >> notes.txt'")]
pub(crate) struct Args {
    /// The session; without it the current one
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let server = server(cx)?;
        let ui = cx.ui.clone();
        let mut warn = |text: &str| ui.warn(text);
        let outcome = session_run::run(&mut cx.ops, self.session.as_deref(), &self.command, &server, &mut warn)?;
        Ok(Exit(outcome.code))
    }
}
