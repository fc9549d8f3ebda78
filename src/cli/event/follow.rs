//! `aether event follow`

use super::Which;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::event_list;
use crate::ui::view::EventView;

/// Print events as they happen, until interrupted
///
/// It begins with those that happen from now on, or after the one that `--after` names. With `--count` it ends by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether event follow --after 0 --count 2
  aether event follow --after 0 --type 'session.*' --json --count 1")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// End after so many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let filter = self.which.filter(cx)?;
        let mut left = self.count;
        let ui = cx.ui.clone();
        event_list::follow(&mut cx.ops, filter, self.which.after.is_none(), |event| {
            ui.show(&EventView::new(event))?;
            left = left.map(|left| left - 1);
            Ok::<_, Error>(left != Some(0))
        })?;
        Ok(Exit::DONE)
    }
}
