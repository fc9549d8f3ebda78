//! `aether source log`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::source_list;
use crate::ui::view::RevisionView;

/// List the revisions of a source, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source log web
  aether source log web --json")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (source, revisions) = source_list::log(&mut cx.ops, &self.source)?;
        let rows: Vec<_> = revisions.iter().map(|revision| RevisionView::new(&source, revision)).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
