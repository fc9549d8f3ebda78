//! `aether lock`

mod acquire;
mod list;
mod release;
mod renew;
mod take_away;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Claim paths for a while
///
/// A lock is a lease on paths of a source, which all of its sessions share. It keeps nobody from writing in a session of their
/// own; merge, promote and apply refuse to change a path that somebody else holds (exit code 5).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login lock acquire lib/app.js --ttl 30m
  aether lock list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Acquire(acquire::Args),
        Renew(renew::Args),
        Release(release::Args),
        Break(take_away::Args),
        List(list::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
