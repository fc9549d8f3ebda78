//! `aether store rebuild`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::store_rebuild;
use crate::ui::view::RebuildView;

/// Make a new catalog from the store, when the old one is lost or damaged
///
/// Sources with their revisions, sessions, checkpoints, commits, tags and policies come back under their names: labels
/// beside the packs (`objects/labels`) tell of them. Sessions have their live files, too. Events, operations, cache entries, messages,
/// notes and approvals were in the catalog alone, and are lost. Where labels are missing or damaged, each tree that is found whole
/// and that no label names becomes a source, `recovered-1` and so on, the oldest first. What is left of the old catalog, and
/// live files that nothing fits, are put aside in the data directory and not removed. Refused while there is a catalog that
/// can be read. A backup (`store backup`) has everything: look for one first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store rebuild
  aether source list")]
pub(crate) struct Args {
    /// Make sources of trees without a name, also where labels tell of all that there was; works beside a catalog that can be
    /// read, too
    #[arg(long)]
    unnamed: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let report = store_rebuild::run(&mut cx.ops, self.unnamed)?;
        cx.ui.show(&RebuildView::from(&report))?;
        let is_whole = report.damaged.is_empty() && report.damaged_labels == 0 && report.restored.lost.is_empty();
        Ok(if is_whole && report.restored.behind.is_empty() { Exit::DONE } else { Exit::DAMAGED })
    }
}
