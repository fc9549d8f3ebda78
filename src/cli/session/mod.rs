//! `aether session`

mod absorb;
mod activate;
mod apply;
mod archive;
mod create;
mod delete;
pub(super) mod expire;
mod export;
pub(super) mod fork;
mod list;
mod materialize;
pub(super) mod mount;
mod recover;
mod rename;
mod review;
pub(super) mod run;
mod show;
pub(super) mod status;
pub(super) mod unmount;
pub(super) mod update;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};

/// Make and use workspaces
///
/// A session is a live workspace: a frozen base and what was changed since. Nothing done in one is seen by another, or
/// by the source.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session create try-it --source web
  aether session list")]
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
        Status(status::Args),
        Fork(fork::Args),
        Rename(rename::Args),
        Review(review::Args),
        Archive(archive::Args),
        Activate(activate::Args),
        Expire(expire::Args),
        Recover(recover::Args),
        Delete(delete::Args),
        Mount(mount::Args),
        Unmount(unmount::Args),
        Run(run::Args),
        Update(update::Args),
        Materialize(materialize::Args),
        Absorb(absorb::Args),
        Apply(apply::Args),
        Export(export::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}
