//! `aether lock list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::lock;
use crate::ui::view::{LockAction, LockView};

/// List locks, the oldest first
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether lock list
  aether lock list web --json")]
pub(crate) struct Args {
    /// Only those of this source
    #[arg(value_name = "SOURCE", add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let locks = lock::list(&mut cx.ops, self.source.as_deref())?;
        cx.ui.list(&locks.iter().map(|lock| LockView::new(lock, LockAction::Listed)).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
