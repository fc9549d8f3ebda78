//! `aether store rebuild`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::store_rebuild;
use crate::ui::view::RebuildView;

/// Make a new catalog from the store, when the old one is lost or damaged
///
/// Every tree that is found whole becomes a source, `recovered-1` and so on, the oldest first: names, sessions and history
/// were in the catalog alone. What is left of that, and the live files of sessions, are put aside in the data directory and not
/// removed. Refused while there is a catalog that can be read. A backup (`store backup`) has everything: look for one
/// first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store rebuild
  aether source list")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let report = store_rebuild::run(&mut cx.ops)?;
        cx.ui.show(&RebuildView::from(&report))?;
        Ok(if report.damaged.is_empty() { Exit::DONE } else { Exit::DAMAGED })
    }
}
