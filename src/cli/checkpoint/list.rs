//! `aether checkpoint list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::checkpoint_list;
use crate::ui::view::{CheckpointAction, CheckpointView};

/// List the checkpoints of a session, the newest first
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether checkpoint list fix-login
  aether checkpoint list --all --json")]
pub(crate) struct Args {
    /// The session; the current one if it is left out
    #[arg(conflicts_with = "all", add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// Those of all sessions
    #[arg(long)]
    all: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let view = |session: &_, checkpoint: &_| CheckpointView::new(session, checkpoint, CheckpointAction::Shown);
        let rows: Vec<_> = if self.all {
            let all = checkpoint_list::all(&mut cx.ops)?;
            all.iter().rev().map(|(session, checkpoint)| view(session, checkpoint)).collect()
        } else {
            let (session, checkpoints) = checkpoint_list::list(&mut cx.ops, self.session.as_deref())?;
            checkpoints.iter().map(|checkpoint| view(&session, checkpoint)).collect()
        };
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
