//! `aether checkpoint show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::checkpoint_list;
use crate::ui::view::{CheckpointAction, CheckpointView};

/// Show a checkpoint: when it was made, by whom and why, and how much it holds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether checkpoint show fix-login@1
  aether -s fix-login checkpoint show @1 --json")]
pub(crate) struct Args {
    /// The checkpoint; a number alone is one of the current session
    #[arg(value_name = "SESSION@CHECKPOINT", add = clap_complete::ArgValueCandidates::new(names::checkpoints))]
    checkpoint: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (session, checkpoint) = checkpoint_list::show(&mut cx.ops, &self.checkpoint)?;
        cx.ui.show(&CheckpointView::new(&session, &checkpoint, CheckpointAction::Shown))?;
        Ok(Exit::DONE)
    }
}
