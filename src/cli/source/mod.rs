//! `aether source`

mod create;
mod delete;
mod diff;
mod list;
mod log;
pub(super) mod progress;
mod promote;
mod prune;
mod refresh;
mod rename;
mod show;
mod watch;

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
  aether source create app ~/src/web
  aether source list
  aether source log web")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Create(create::Args),
        List(list::Args),
        Show(show::Args),
        Log(log::Args),
        Diff(diff::Args),
        Refresh(refresh::Args),
        Watch(watch::Args),
        Prune(prune::Args),
        Promote(promote::Args),
        Rename(rename::Args),
        Delete(delete::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
