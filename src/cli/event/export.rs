//! `aether event export`

use super::{Which, Window};
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{EventFilter, event_list};
use crate::ui::view::EventView;

/// How many events are read at once.
const PAGE: u32 = 5000;

/// Print events as lines of JSON, oldest first, however many there are
///
/// The `seq` of the last line is the cursor for `--after` next time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether event export > events.jsonl
  aether event export --after 4 --type 'session.*'")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    window: Window,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (since_ns, until_ns) = self.window.times(cx)?;
        let limit = Some(PAGE);
        let mut filter = EventFilter { since_ns, until_ns, limit, from_oldest: true, ..self.which.filter(cx)? };
        loop {
            let events = event_list::list(&mut cx.ops, &filter)?;
            let mut text = Vec::new();
            for event in &events {
                cx.ui.json_into(&mut text, &EventView::new(event))?;
            }
            cx.ui.raw(&text)?;
            match events.last() {
                Some((last, _)) if events.len() == PAGE as usize => filter.after = last.seq,
                _ => return Ok(Exit::DONE),
            }
        }
    }
}
