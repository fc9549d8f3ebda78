//! `aether policy`

mod check;
mod edit;
mod set;
mod show;
mod unset;

use super::{Run, commands, names};

/// Say what each action needs before it happens
///
/// A policy belongs to a source and holds for all sessions that stand on it: how many grants an action needs and from whom, how
/// much a session may change, which paths need more, and which none may change. An action that lacks something is refused,
/// whoever starts it.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  printf '[actions.commit]\\ngrants = 1\\n' | aether policy set web --file -
  aether policy check fix-login")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Set(set::Args),
        Edit(edit::Args),
        Show(show::Args),
        Check(check::Args),
        Unset(unset::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut super::context::Cx) -> Result<super::exit::Exit, super::exit::Error> {
        self.command.run(cx)
    }
}

/// A source.
#[derive(Debug, clap::Args)]
struct SourceArg {
    /// The source
    #[arg(value_name = "SOURCE", add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
}
