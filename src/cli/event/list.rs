//! `aether event list`

use super::{Which, Window};
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{EventFilter, event_list};
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
    #[command(flatten)]
    window: Window,
    /// At most so many: the newest, or with `--after` or `--since` the first
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u32>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (since_ns, until_ns) = self.window.times(cx)?;
        let filter = EventFilter { since_ns, until_ns, limit: self.limit, ..self.which.filter(cx)? };
        let events = event_list::list(&mut cx.ops, &filter)?;
        let rows: Vec<_> = events.iter().map(EventView::new).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
