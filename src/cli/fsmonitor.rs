//! `aether fsmonitor`

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};
use crate::ops::fsmonitor::{self, Answer};

/// Tell git which files of a session may have changed: a hook for its `core.fsmonitor`
///
/// Git starts it in the top directory of the work tree, with the version of the protocol (2) and the token that it was given
/// the last time, and asks about these files only. Outside of a session, and whenever something is not known, git is told to
/// look at everything. `session mount --git-fsmonitor` switches it on in a session.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether fsmonitor 2 none
  aether fsmonitor 2 aether:1234 --verbose")]
pub(crate) struct Args {
    /// The version of the protocol
    #[arg(value_parser = clap::value_parser!(u8).range(2..=2))]
    version: u8,
    /// What was answered the last time
    token: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let _the_only_one = self.version;
        let answer = fsmonitor::run(&mut cx.ops, &self.token).unwrap_or_else(|error| {
            cx.ui.detail(&format!("everything may have changed: {error}"));
            Answer { token: "none".into(), paths: None }
        });
        cx.ui.raw(&answer.bytes())?;
        Ok(Exit::DONE)
    }
}
