//! `aether try`

use std::ffi::OsString;
use std::path::PathBuf;

use crate::ops::session_changes::{self, Compared, Request};
use crate::ops::session_run::{self, Order};
use crate::ops::source_import::Watch;
use crate::ops::{session_delete, trial};

use super::context::Cx;
use super::exit::{Error, Exit};
use super::session::mount::server;
use super::source::progress::Display;
use super::{Run, diff, interrupt};

/// Work in a copy of a directory, then keep or discard what changed
///
/// The directory is imported (or, the next time, refreshed), a session is made on it, and the command, or else a shell,
/// runs in it. Afterwards the changes are shown. The directory itself is never touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether try
  aether try ~/src/web --discard -- make test
  aether try ~/src/web --keep -- sh -c 'echo done >> notes.txt'")]
pub(crate) struct Args {
    /// The directory
    #[arg(default_value = ".", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
    /// The command and its arguments; without it a shell
    #[arg(last = true, value_name = "COMMAND", value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
    /// Keep the session without asking
    #[arg(long, conflicts_with = "discard")]
    keep: bool,
    /// Discard the session without asking
    #[arg(long)]
    discard: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (cancel, until) = interrupt::flag_until()?;
        let display = Display::new(&cx.ui, "Importing");
        let trial = trial::begin(&mut cx.ops, &self.dir, Watch { progress: &display, cancel: &cancel })?;
        drop((display, until));
        let name = trial.session.session.name.clone();
        trial.import.left_out.iter().for_each(|line| cx.ui.warn(&format!("left out: {line}")));
        cx.ui.note(&format!("Session {name} on {}@{}", trial.import.info.source.name, trial.revision()));

        let command = match self.command.is_empty() {
            true => vec![cx.config.shell.clone()],
            false => self.command,
        };
        let server = server(cx)?;
        let ui = cx.ui.clone();
        let mut warn = |text: &str| ui.warn(text);
        let order = Order { command, same_path: false, report_health: false, accelerate: false };
        let signals = interrupt::pass_on()?;
        let outcome = session_run::run(&mut cx.ops, Some(&name), &order, &server, &signals.stop, &mut warn)?;
        drop(signals);

        let request = Request { session: Some(name.clone()), ..Request::default() };
        let changed = session_changes::run(&mut cx.ops, &request)?.compared;
        diff::show_stat(cx, &changed)?;
        let keep = self.keep || !self.discard && decide(cx, &changed, &name)?;
        drop(changed);
        if keep {
            cx.ui.note(&format!("Kept session {name}: `aether diff {name}` shows it, `aether mount {name}` goes on"));
        } else {
            session_delete::run(&mut cx.ops, &name, true)?;
            cx.ui.note(&format!("Discarded session {name}"));
        }
        Ok(Exit(outcome.code))
    }
}

/// Asks whether to keep the session. Where nobody can be asked, changes are kept: they can be discarded later.
fn decide(cx: &Cx, changed: &Compared, name: &str) -> Result<bool, Error> {
    match (changed.changes.is_empty(), cx.ui.can_ask()) {
        (true, _) => Ok(false),
        (false, true) => Ok(cx.ui.confirm(&format!("Keep session `{name}`?"))?),
        (false, false) => Ok(true),
    }
}
