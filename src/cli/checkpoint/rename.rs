//! `aether checkpoint rename`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::checkpoint_list;
use crate::ui::view::{CheckpointAction, CheckpointView};

/// Give a checkpoint a name, or another one
///
/// Its number stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether checkpoint rename fix-login@1 tests-pass
  aether checkpoint show fix-login@tests-pass")]
pub(crate) struct Args {
    /// The checkpoint; a number alone is one of the current session
    #[arg(value_name = "SESSION@CHECKPOINT", add = clap_complete::ArgValueCandidates::new(names::checkpoints))]
    checkpoint: String,
    /// Its name from now on
    name: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (session, checkpoint) = checkpoint_list::rename(&mut cx.ops, &self.checkpoint, &self.name)?;
        cx.ui.show(&CheckpointView::new(&session, &checkpoint, CheckpointAction::Renamed))?;
        Ok(Exit::DONE)
    }
}
