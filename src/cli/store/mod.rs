//! `aether store`

mod backup;
pub(in crate::cli) mod du;
mod gc;
mod rebuild;
mod repair;
mod stats;
mod verify;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Look after the store
///
/// The store holds the content of all sources, sessions and checkpoints, each piece once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store stats
  aether store gc --dry-run")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Stats(stats::Args),
        Du(du::Args),
        Gc(gc::Args),
        Verify(verify::Args),
        Repair(repair::Args),
        Backup(backup::Args),
        Rebuild(rebuild::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
