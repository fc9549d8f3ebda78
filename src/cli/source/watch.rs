//! `aether source watch`

use std::time::Duration;

use super::progress::{Display, report};
use crate::cli::context::{self, Cx};
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt, names};
use crate::ops::import::ImportProgress;
use crate::ops::source_import::SourceImport;
use crate::ops::source_watch::{self, Observer, Pace, Request};
use crate::ops::time;
use crate::ops::{self, Context};
use crate::ui::Ui;
use crate::ui::view::SourceAction;

/// Import a directory again whenever it changes, until interrupted
///
/// It begins with what changed since the last import. After that, each time something changed and then nothing did for
/// a while, it is imported, and a new revision is made if anything differs. Only files whose size, times or inode differ
/// are read. Sessions stay on the revision that they stand on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source watch web --once
  aether source watch web --once --quiet-for 10s --json")]
pub(crate) struct Args {
    /// The source, which was made of a directory
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
    /// Import when nothing changed for so long
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    quiet_for: String,
    /// Import after so long in any case, when changes never end
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    at_most: String,
    /// End after the first new revision
    #[arg(long)]
    once: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let pace = Pace { quiet: length(&self.quiet_for)?, at_most: length(&self.at_most)? };
        let cancel = interrupt::flag()?;
        let mut observer = Seen { ui: cx.ui.clone(), once: self.once, made: 0 };
        let request = Request { source: &self.source, pace, cancel: &cancel };
        source_watch::run(&mut cx.ops, &request, &mut observer)?;
        // To interrupt it is how it ends, unless it was to wait for something.
        Ok(if self.once && observer.made == 0 { Exit::INTERRUPTED } else { Exit::DONE })
    }
}

fn length(text: &str) -> Result<Duration, ops::Error> {
    Ok(Duration::from_nanos(time::duration(text)?.unsigned_abs()))
}

struct Seen {
    ui: Ui,
    once: bool,
    made: u64,
}

impl Observer for Seen {
    type Error = Error;

    fn begins(&mut self, cx: &mut Context) -> Result<Box<dyn ImportProgress>, Error> {
        (cx.now_ns, cx.seed) = context::moment()?;
        Ok(Box::new(Display::new(&self.ui, "Importing")))
    }

    fn ended(&mut self, import: ops::Result<SourceImport>) -> Result<bool, Error> {
        match import {
            Ok(import) if import.changed => {
                self.made += 1;
                report(&self.ui, &import, SourceAction::Refreshed)?;
            }
            Ok(_) => {}
            Err(error) => self.ui.warn(&format!("not imported: {error}")),
        }
        Ok(!self.once || self.made == 0)
    }
}
