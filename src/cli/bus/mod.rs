//! `aether bus`

mod publish;
mod subscribe;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Send and hear messages
///
/// Messages are bytes on a topic of a session, in one order for all who listen. The last 100,000 of a session, up to 64 MiB,
/// are kept for those who come later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login bus publish tests:login started
  aether -s fix-login bus subscribe 'tests:*' --replay 10")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Publish(publish::Args),
        Subscribe(subscribe::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
