//! `aether config`

mod path;
mod show;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Look at the configuration
///
/// A flag wins over the environment (`cache.memory_mib` is AETHER_CACHE_MEMORY_MIB), that over the config file, that
/// over the default.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether config show --origin
  aether config path")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Show(show::Args),
        Path(path::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
