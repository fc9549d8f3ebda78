//! `aether checkpoint diff`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::diff::Form;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::{checkpoint_list, session_changes};

/// Show what changed in a checkpoint, or between two
///
/// A checkpoint alone is compared with the one before it in its session, the first one with what the session began with.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether checkpoint diff fix-login@2
  aether checkpoint diff fix-login@1 fix-login@3 --stat
  aether checkpoint diff 1 3")]
pub(crate) struct Args {
    /// The checkpoint; a number alone is one of the current session
    #[arg(value_name = "SESSION@CHECKPOINT", add = clap_complete::ArgValueCandidates::new(names::checkpoints))]
    checkpoint: String,
    /// The state to compare it with
    #[arg(value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::all_states))]
    other: Option<String>,
    #[command(flatten)]
    form: Form,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = self.form.request(None)?;
        let compared = match &self.other {
            Some(other) => session_changes::since_checkpoint(&mut cx.ops, &self.checkpoint, other, &request)?,
            None => {
                let checkpoint = checkpoint_list::show(&mut cx.ops, &self.checkpoint)?;
                session_changes::of_checkpoint(&mut cx.ops, &checkpoint, &request)?
            }
        };
        self.form.show(cx, &compared)
    }
}
