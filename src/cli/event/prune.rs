//! `aether event prune`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::event_prune::{self, Keep};
use crate::ops::{Error as OpsError, time};
use crate::ui::view::{EventsPrunedView, plural};

/// Remove the oldest events
///
/// They cannot be brought back; `aether event export` writes them to a file before. What can be undone stays so.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether event prune --before 90d --yes
  aether event prune --keep 1000 --dry-run")]
#[group(skip)]
#[command(group(clap::ArgGroup::new("which").required(true)))]
pub(crate) struct Args {
    /// Those from before this time: a time, or a duration counted back from now
    #[arg(long, value_name = "TIME", group = "which")]
    before: Option<String>,
    /// All but so many of the newest
    #[arg(long, value_name = "N", group = "which")]
    keep: Option<u64>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let keep = match &self.before {
            Some(before) => Keep::Since(time::moment(before, cx.ops.now_ns)?),
            None => Keep::Newest(self.keep.unwrap_or_default()),
        };
        let planned = event_prune::plan(&mut cx.ops, keep)?;
        if !self.dry_run && planned.events > 0 {
            let what = format!("this removes {} for good", plural(planned.events, "event"));
            if !self.yes && !cx.ui.confirm(&format!("{what}. Go on?"))? {
                return Err(OpsError::NeedsYes { what }.into());
            }
            event_prune::run(&mut cx.ops, planned)?;
        }
        cx.ui.show(&EventsPrunedView::new(planned, self.dry_run))?;
        Ok(Exit::DONE)
    }
}
