//! `aether conflict`

mod list;
mod resolve;
mod show;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::commands;
use super::exit::Error;
use crate::model::BytePath;
use crate::ops;

/// Look at the conflicts of a merge, and resolve them
///
/// A session whose merge left conflicts has the status `conflict` until each of them is resolved, or the merge is taken
/// back with `aether merge --abort`. The conflicts are kept, whether the session is mounted or not.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  aether conflict list fix-login
  aether -s fix-login conflict show lib/app.js
  aether -s fix-login conflict resolve lib/app.js --theirs")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        List(list::Args),
        Show(show::Args),
        Resolve(resolve::Args),
    }
}

impl super::Run for Args {
    fn run(self, cx: &mut super::context::Cx) -> Result<super::exit::Exit, Error> {
        self.command.run(cx)
    }
}

fn path(path: &OsString) -> Result<BytePath, ops::Error> {
    let bad = |why| ops::Error::BadPath { path: path.into(), why };
    BytePath::parse(path.as_bytes()).map_err(bad)
}
