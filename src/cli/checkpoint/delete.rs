//! `aether checkpoint delete`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::checkpoint_list;
use crate::ui::view::{CheckpointAction, CheckpointView};

/// Delete checkpoints
///
/// The session and its other checkpoints stay as they are. Of several, all are deleted or none.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
#[command(after_help = "\
Examples:
  aether checkpoint delete fix-login@1
  aether -s fix-login checkpoint delete @2 @3")]
pub(crate) struct Args {
    /// The checkpoints; a number alone is one of the current session
    #[arg(required = true, value_name = "SESSION@CHECKPOINT")]
    #[arg(add = clap_complete::ArgValueCandidates::new(names::checkpoints))]
    checkpoints: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        for (session, checkpoint) in checkpoint_list::delete(&mut cx.ops, &self.checkpoints)? {
            cx.ui.show(&CheckpointView::new(&session, &checkpoint, CheckpointAction::Deleted))?;
        }
        Ok(Exit::DONE)
    }
}
