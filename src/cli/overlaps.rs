//! `aether overlaps`

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, interrupt, names};
use crate::ops::{session_compare, time};
use crate::ui::view::CompareView;

/// How long to sleep between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Show which sessions of a source touch the same paths, before anyone merges
///
/// Archived sessions are left out. Behind the letter of the change stands a number: sessions with the same number made the
/// same of the path.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether overlaps web
  aether overlaps web --json")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
    /// Look again and again, and print what changed, until interrupted
    #[arg(long)]
    watch: bool,
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "2s", requires = "watch")]
    every: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let table = session_compare::overlaps(&mut cx.ops, &self.source)?;
        cx.ui.show(&CompareView::new(&table))?;
        if !self.watch {
            return Ok(Exit::DONE);
        }
        let every = Duration::from_nanos(time::duration(&self.every)?.unsigned_abs());
        let cancel = interrupt::flag()?;
        let mut shown = table.rows;
        loop {
            let begun = Instant::now();
            while begun.elapsed() < every {
                if cancel.load(Ordering::Relaxed) {
                    return Ok(Exit::DONE);
                }
                std::thread::sleep(LOOK.min(every));
            }
            let table = session_compare::overlaps(&mut cx.ops, &self.source)?;
            if table.rows != shown {
                cx.ui.show(&CompareView::new(&table))?;
                shown = table.rows;
            }
        }
    }
}
