//! `aether op`

mod log;
mod show;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Look at what commands did
///
/// Each command that changes something is one operation, with a number. `aether undo` and `aether redo` are operations
/// too. What programs write into a session is none: that is what checkpoints are for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether op log
  aether op show 1")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Log(log::Args),
        Show(show::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
