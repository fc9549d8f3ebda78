//! `aether cache stats`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::cache;
use crate::ui::view::CacheStatsView;

/// Say how much the entries hold
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login cache stats")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (session, stats) = cache::stats(&mut cx.ops, None)?;
        cx.ui.show(&CacheStatsView::new(&session, &stats))?;
        Ok(Exit::DONE)
    }
}
