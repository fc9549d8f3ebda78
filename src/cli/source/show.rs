//! `aether source show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::source_list;
use crate::ui::view::{SourceAction, SourceView};

/// Show a source: its origin, how it is imported, its newest revision
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source show web
  aether source show web --json")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = source_list::show(&mut cx.ops, &self.source)?;
        cx.ui.show(&SourceView::new(&info, SourceAction::Shown))?;
        Ok(Exit::DONE)
    }
}
