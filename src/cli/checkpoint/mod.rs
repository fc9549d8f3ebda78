//! `aether checkpoint`

mod create;
mod delete;
mod diff;
mod list;
mod rename;
pub(super) mod restore;
mod show;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Keep states of a session, to go back to and to fork from
///
/// A checkpoint is everything that a session holds at one moment. It costs what changed since the last one, and never
/// changes. `fix-login@3` is checkpoint 3 of session `fix-login`, `@3` that of the current session. Without a command of
/// its own, `aether checkpoint` is `aether checkpoint create`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  aether checkpoint fix-login -m 'tests pass'
  aether checkpoint list fix-login
  aether checkpoint show fix-login@1")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    create: create::Args,
}

commands! {
    /// The commands.
    Command {
        Create(create::Args),
        List(list::Args),
        Show(show::Args),
        Diff(diff::Args),
        Restore(restore::Args),
        Rename(rename::Args),
        Delete(delete::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        match self.command {
            Some(command) => command.run(cx),
            None => self.create.run(cx),
        }
    }
}
