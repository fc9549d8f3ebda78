//! `aether event list`

use super::Which;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{EventFilter, event_list, time};
use crate::ui::view::EventView;

/// List events, oldest first
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether event list --since 2h
  aether event list --type 'session.*' --limit 10
  aether event list --session fix-login --after 1 --json")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Only from this time on: a time, or a duration counted back from now
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many: the newest, or with `--after` or `--since` the first
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u32>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let now = cx.ops.now_ns;
        let moment = |text: &Option<String>| text.as_ref().map(|text| time::moment(text, now)).transpose();
        let (since_ns, until_ns) = (moment(&self.since)?, moment(&self.until)?);
        let filter = EventFilter { since_ns, until_ns, limit: self.limit, ..self.which.filter(cx)? };
        let events = event_list::list(&mut cx.ops, &filter)?;
        let rows: Vec<_> = events.iter().map(EventView::new).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
