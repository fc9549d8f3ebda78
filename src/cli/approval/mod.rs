//! `aether approval`

mod answer;
mod diff;
mod list;
mod request;
mod show;
mod wait;

use super::{Run, commands, names};

/// Ask whether an action may happen, and answer
///
/// An approval is a question about what a session holds just now: may it be committed, merged, promoted, applied or
/// deleted? The answer holds for that content. It is stale when tracked files differ, and holds again when they are as
/// they were; ignored files and times do not matter. An approval is named by its id, a prefix of it, or its session.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  aether -s fix-login approval request merge -m 'fixes the login'
  aether approval list --state pending
  aether approval grant fix-login -m 'looks good' --as bob")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        Request(request::Args),
        List(list::Args),
        Show(show::Args),
        Diff(diff::Args),
        Grant(answer::Grant),
        Deny(answer::Deny),
        Cancel(answer::Cancel),
        Wait(wait::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut super::context::Cx) -> Result<super::exit::Exit, super::exit::Error> {
        self.command.run(cx)
    }
}

/// An approval.
#[derive(Debug, clap::Args)]
struct KeyArg {
    /// Its id, a unique prefix of it, or its session
    #[arg(value_name = "APPROVAL", add = clap_complete::ArgValueCandidates::new(names::approvals))]
    key: String,
}
