//! `aether source rename`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::source_rename;
use crate::ui::view::{SourceAction, SourceView};

/// Give a source another name
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source rename web site")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
    /// Its new name
    name: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = source_rename::run(&mut cx.ops, &self.source, &self.name)?;
        cx.ui.show(&SourceView::new(&info, SourceAction::Renamed))?;
        Ok(Exit::DONE)
    }
}
