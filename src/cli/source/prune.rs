//! `aether source prune`

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, names};
use crate::ops::source_prune::{self, Request};
use crate::ui::view::PrunedView;

/// Let go of the older revisions of a source
///
/// The newest stay, and so does each one that a session stands on. With `--force` those go as well; the sessions hold their
/// own base and keep their content. `undo` brings revisions back until `store gc` has taken them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source prune web --keep 5 --dry-run
  aether source prune web --keep 1")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
    /// How many of the newest revisions stay
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep: u64,
    /// Also those that sessions stand on
    #[arg(short, long)]
    force: bool,
    /// Say what would go, and let go of nothing
    #[arg(long)]
    dry_run: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = Request { source: self.source, keep: self.keep, force: self.force, dry_run: self.dry_run };
        let pruned = source_prune::run(&mut cx.ops, &request)?;
        cx.ui.show(&PrunedView::new(&pruned))?;
        Ok(Exit::DONE)
    }
}
