//! `aether config path`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ui::view::PathsView;

/// Show where the config file, the data and the runtime files are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether config path
  aether config path -q")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        cx.ui.show(&PathsView::from(&cx.config.paths))?;
        Ok(Exit::DONE)
    }
}
