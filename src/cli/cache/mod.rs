//! `aether cache`

mod delete;
mod export;
mod get;
mod import;
mod list;
mod set;
mod stats;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};
use crate::ops::cache::{CacheCondition, CacheFilter};

/// Remember values for a session
///
/// An entry is bytes under a key, with a version that rises whenever it is set. A fork begins with a copy of its parent's
/// entries. Entries are not part of the file tree, and not undone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login cache set build/id 4711
  aether -s fix-login cache list 'build/*'")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Get(get::Args),
        Set(set::Args),
        Delete(delete::Args),
        List(list::Args),
        Stats(stats::Args),
        Import(import::Args),
        Export(export::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}

/// What has to be so for an entry to be changed.
#[derive(Debug, clap::Args)]
struct ConditionArgs {
    /// Only if the entry has this version; 0: it is not there
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

impl ConditionArgs {
    fn condition(&self) -> CacheCondition {
        self.if_version.map_or(CacheCondition::Any, CacheCondition::Version)
    }
}

/// Which entries are wanted.
#[derive(Debug, clap::Args)]
struct Which {
    /// Only keys that match; `*`, `?` and `[…]` are wildcards, and `*` stands for slashes, too
    #[arg(value_name = "GLOB")]
    glob: Option<String>,
    /// Only keys that begin with this
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
}

impl Which {
    fn filter(self, limit: Option<u32>) -> CacheFilter {
        CacheFilter { prefix: self.prefix.unwrap_or_default(), glob: self.glob, limit }
    }
}
