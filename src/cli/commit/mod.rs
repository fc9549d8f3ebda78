//! `aether commit`

mod create;
mod delete;
mod diff;
mod list;
mod show;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Keep what came of a session
///
/// A commit is the tracked change set of a session with a message: a tree that never changes and outlives its session.
/// Sessions can begin with it, it can be compared, merged and looked into like any other state. Scratch (`.git`, and
/// what the tree's `.gitignore` files ignore) is not in it. Without a command of its own, `aether commit` is
/// `aether commit create`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  aether run fix-login -- sh -c 'echo >>lib/app.js'; aether commit fix-login -m 'Fix the login'
  aether commit list
  aether commit show \"$(aether commit list -q | head -n 1)\"")]
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
