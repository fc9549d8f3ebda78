//! `aether diff`

mod form;

use crate::ops::session_changes;

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};
use super::names;

pub(super) use form::{Form, letter_and_path, show_stat};

/// Show what a session changed, or how any two states differ
///
/// Compares the session, mounted or not, with the revision that it stands on. With two states, each a session, a
/// checkpoint (`SESSION@NUMBER`), a commit or a revision (`SOURCE@NUMBER`), compares these; with a checkpoint or a commit
/// alone, that with its session as it is now. Scratch paths (`.git`, and what the tree's `.gitignore` files ignore) are left out unless
/// `--all` is given.
///
/// A program that reads the output gets a patch, which `git apply` and `patch -p1` take. Files that are no text are only
/// named in it; with `--patch` it holds them too, up to 1 GiB each, for `git apply`. On a terminal it is made for reading: names, permissions and control characters are written out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether diff login-bug
  aether diff login-bug --stat
  aether diff fix-login@1 --name-status
  aether diff web@1 fix-login -- src
  aether diff login-bug --word
  aether diff login-bug --side-by-side
  aether diff fix-login --annotations
  aether diff login-bug --patch > login-bug.patch")]
pub(crate) struct Args {
    /// A session, or another state; without it the current session
    #[arg(value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::all_states))]
    state: Option<String>,
    /// The state to compare it with
    #[arg(value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::all_states))]
    other: Option<String>,
    #[command(flatten)]
    form: Form,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = self.form.request(None)?;
        let compared = match &self.state {
            None => session_changes::run(&mut cx.ops, &request)?.compared,
            Some(state) => session_changes::between(&mut cx.ops, state, self.other.as_deref(), &request)?,
        };
        self.form.show(cx, &compared)
    }
}
