//! `aether conflict list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::merge;
use crate::ui::view::ConflictView;

/// List the conflicts of a session
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether conflict list fix-login
  aether conflict list fix-login --json")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (_, found) = merge::conflicts(&mut cx.ops, self.session.session.as_deref())?;
        let rows: Vec<_> = found.iter().flat_map(|(_, rows)| rows).map(ConflictView::new).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
