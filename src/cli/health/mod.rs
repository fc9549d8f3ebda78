//! `aether health`

mod report;
mod show;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Report and look at results of tests
///
/// The newest result of a session is its health. It speaks of the content that the session had when it was reported.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login health report pass -m 'make test'
  aether -s fix-login health show")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Report(report::Args),
        Show(show::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
