//! `aether source delete`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::source_delete;
use crate::ui::view::{SourceAction, SourceView};

/// Delete a source and its revisions
///
/// It goes to the trash. A source that sessions stand on is refused. With `--force` it goes all the same; the sessions hold their own base
/// and keep their content.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
#[command(after_help = "\
Examples:
  aether source delete --force web")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
    /// Delete it even though sessions stand on it
    #[arg(short, long)]
    force: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = source_delete::run(&mut cx.ops, &self.source, self.force)?;
        cx.ui.show(&SourceView::new(&info, SourceAction::Deleted))?;
        Ok(Exit::DONE)
    }
}
