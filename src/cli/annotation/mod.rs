//! `aether annotation`

mod add;
mod change;
mod list;
mod show;

use super::{Run, commands};

/// Leave notes on a session, its files, or lines of them
///
/// A note follows its lines as the file is edited or moved. When they are gone it is outdated, and is kept.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  aether -s fix-login annotation add lib/app.js:1 -m 'where is the semicolon?'
  aether -s fix-login annotation list --state open")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Add(add::Args),
        List(list::Args),
        Show(show::Args),
        Reply(change::Reply),
        Resolve(change::Resolve),
        Reopen(change::Reopen),
        Delete(change::Delete),
    }
}

impl Run for Args {
    fn run(self, cx: &mut super::context::Cx) -> Result<super::exit::Exit, super::exit::Error> {
        self.command.run(cx)
    }
}

/// A note.
#[derive(Debug, clap::Args)]
struct KeyArg {
    /// Its id, or a unique prefix of it
    #[arg(value_name = "ANNOTATION")]
    key: String,
}
