//! `aether source refresh`

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt, names};
use crate::ops::source_import::{self, Watch};
use crate::ui::view::SourceAction;

use super::progress::{Display, report};

/// Import a source again, and make a new revision if something changed
///
/// It is imported as it was the first time. Only files whose size, times or inode differ are read. Sessions stay on the
/// revision that they stand on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source refresh web
  aether source refresh web --json")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let display = Display::new(&cx.ui, "Importing");
        let watch = Watch { progress: &display, cancel: &cancel };
        let import = source_import::refresh(&mut cx.ops, &self.source, watch)?;
        drop(display);
        let action = if import.changed { SourceAction::Refreshed } else { SourceAction::Unchanged };
        report(&cx.ui, &import, action)?;
        Ok(Exit::DONE)
    }
}
