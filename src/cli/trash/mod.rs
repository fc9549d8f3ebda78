//! `aether trash`

mod empty;
mod list;
mod restore;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Bring back what was deleted, or remove it for good
///
/// What is deleted goes to the trash, with its name and its files, and stays until the trash is emptied.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether trash list
  aether trash empty --yes")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        List(list::Args),
        Restore(restore::Args),
        Empty(empty::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
