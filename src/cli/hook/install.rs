//! `aether hook install`

use std::path::PathBuf;

use super::Which;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::hooks::git_hook;
use crate::ops::hooks::install::{self, Request};
use crate::ui::view::HookChangeView;

/// Install a hook, or one of git's that calls aether
#[derive(Debug, clap::Args)]
#[command(long_about = r#"Install a hook, or one of git's that calls aether

A copy of the program is put where hooks are. There is a pre- and a post- hook for each of

    create fork checkpoint restore commit merge update merge-abort resolve promote apply
    export materialize absorb delete archive activate mount unmount undo redo

and `approval-requested` and `approval-decided`, which run afterwards. A pre- hook refuses what is about to happen with an
exit code other than 0, and what it printed is shown. It also does so when it cannot be run, or takes longer than
`hooks.timeout_s` of the config: then it is killed, with all that it started. A post- hook refuses nothing; that one failed is
said in a warning, and noted in the history. Hooks for all run before those of the source.

A hook runs in a read-only view of the state that it is about: of a commit, what the session holds; of a merge, what comes
out of it; of a restore, the checkpoint; of an undo, what the session becomes. It reads one JSON object from standard input (hook, transition, actor, actor_kind,
command, view, session, source, details), and finds in its environment:

    AETHER_HOOK, AETHER_TRANSITION   its name, and what it is about
    AETHER_VIEW                      the directory that it runs in
    AETHER_SESSION, …_NAME           the id and the name of the session
    AETHER_SOURCE                    the name of the source
    AETHER_MOUNT                     where the session is mounted, if it is
    AETHER_ACTOR, AETHER_HOME        who acts, and the data directory
    AETHER_EXE                       this program

A hook can call aether, which then runs the hooks of what it does, at most four deep. `--no-hooks` leaves hooks out, as far as
the policy of the source lets the actor: `[hooks] skip = "human"` in it.

With `--git` a `pre-commit` hook is written into a git repository, where git looks for hooks. In a session it makes a
checkpoint and asks the policy whether this may be committed; elsewhere it does nothing. A hook that is there is kept, runs
before, and comes back with `aether hook uninstall --git`."#)]
#[command(after_help = "\
Examples:
  printf '#!/bin/sh\\ntest -e index.html\\n' > check && aether hook install pre-commit check
  printf '#!/bin/sh\\nexit 0\\n' > check && aether hook install pre-promote check --source web --replace
  git init -q repo && aether hook install --git repo")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The program
    #[arg(value_name = "FILE", required_unless_present = "git", value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Put it in the place of one that is there
    #[arg(long, conflicts_with = "git")]
    replace: bool,
    /// Write the hook of git into this repository; the one of the working directory if none is named
    #[arg(long, value_name = "REPOSITORY", num_args = 0..=1, default_missing_value = ".")]
    git: Option<PathBuf>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        if let Some(repository) = &self.git {
            let done = git_hook::install(&mut cx.ops, repository)?;
            cx.ui.show(&HookChangeView::of_git(&done, true))?;
            return Ok(Exit::DONE);
        }
        let request = Request {
            name: self.which.name.unwrap_or_default(),
            file: self.file.unwrap_or_default(),
            source: self.which.source,
            replace: self.replace,
        };
        let installed = install::install(&mut cx.ops, &request)?;
        cx.ui.show(&HookChangeView::new(&installed, true))?;
        Ok(Exit::DONE)
    }
}
