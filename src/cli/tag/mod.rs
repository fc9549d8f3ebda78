//! `aether tag`

mod list;
mod set;
mod unset;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands, names};
use crate::ops::tags::Target;

/// Classify sessions and sources
///
/// A tag is `key=value`. `--tag` of `aether session list` and `aether source list` shows only what has it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether tag set fix-login team=ui
  aether session list --tag team=ui")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Set(set::Args),
        Unset(unset::Args),
        List(list::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}

/// The object that has the tags.
#[derive(Debug, clap::Args)]
struct What {
    /// A session or a source; `@` is the current session
    #[arg(value_name = "WHAT", add = clap_complete::ArgValueCandidates::new(names::tagged))]
    key: String,
    #[command(flatten)]
    kind: KindArg,
}

/// What kind of object it is.
#[derive(Clone, Copy, Debug, clap::Args)]
struct KindArg {
    /// It is a source, also if a session has the same name
    #[arg(long)]
    source: bool,
}

impl KindArg {
    fn target(self, key: String) -> Target {
        Target { key, is_source: self.source }
    }
}

impl What {
    fn target(self) -> Target {
        self.kind.target(self.key)
    }
}
