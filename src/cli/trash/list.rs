//! `aether trash list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::trash;
use crate::ui::view::{TrashAction, TrashView};

/// List what was deleted, the newest first
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether trash list
  aether trash list --json")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let found = trash::list(&mut cx.ops)?;
        let rows: Vec<_> = found.iter().map(|found| TrashView::new(found, TrashAction::Shown)).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
