//! `aether cache list`

use super::Which;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::cache;
use crate::ui::view::CacheEntryView;

/// List entries, without their values
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether -s fix-login cache list
  aether -s fix-login cache list '*.log' --prefix build/ --json")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u32>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let found = cache::list(&mut cx.ops, None, &self.which.filter(self.limit))?;
        cx.ui.list(&found.iter().map(CacheEntryView::new).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
