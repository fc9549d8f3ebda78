//! `aether hook`

mod install;
mod list;
mod run;
mod uninstall;

use super::{Run, commands, names};

/// Run programs of your own before and after what happens to sessions
///
/// A hook is a program with the name of what it is about: `pre-commit` runs before a commit and refuses it with an exit code
/// other than 0, `post-commit` runs after it. `aether hook install --help` lists them all. Hooks are in the directory `hooks`
/// beside the config file, or belong to one source. Only what was installed there is run: nothing that came in with a source,
/// nothing that is written in a session.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  printf '#!/bin/sh\\ntest -e index.html\\n' > check && aether hook install pre-commit check --source web
  aether hook list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        List(list::Args),
        Run(run::Args),
        Install(install::Args),
        Uninstall(uninstall::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut super::context::Cx) -> Result<super::exit::Exit, super::exit::Error> {
        self.command.run(cx)
    }
}

/// Which hook, and for whom.
#[derive(Debug, clap::Args)]
struct Which {
    /// The name of the hook
    #[arg(value_name = "HOOK", required_unless_present = "git", conflicts_with = "git")]
    #[arg(add = clap_complete::ArgValueCandidates::new(names::hooks))]
    name: Option<String>,
    /// Only for the sessions of this source; without it, for all
    #[arg(long, value_name = "SOURCE", conflicts_with = "git")]
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: Option<String>,
}
