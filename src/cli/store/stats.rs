//! `aether store stats`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::store_stats;
use crate::ui::view::StoreStatsView;

/// Say what the store holds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store stats
  aether store stats --json")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let stats = store_stats::run(&mut cx.ops)?;
        cx.ui.show(&StoreStatsView::from(stats))?;
        Ok(Exit::DONE)
    }
}
