//! `aether source`

mod delete;
mod list;
mod log;
mod rename;
mod show;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Keep frozen baselines
///
/// A source is a named tree with numbered revisions. Each revision is frozen: what happens to the origin later never
/// shows through.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source list
  aether source log web")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        List(list::Args),
        Show(show::Args),
        Log(log::Args),
        Rename(rename::Args),
        Delete(delete::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
