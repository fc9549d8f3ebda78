//! `aether session list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::session_list;
use crate::ui::view::{SessionAction, SessionView};

/// List the sessions
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether session list
  aether session list --mounted -q
  aether session list --json")]
pub(crate) struct Args {
    /// Only those that are mounted
    #[arg(long)]
    mounted: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let sessions = session_list::list(&mut cx.ops)?;
        let wanted = sessions.iter().filter(|info| !self.mounted || !info.mounts.is_empty());
        let rows: Vec<_> = wanted.map(|info| SessionView::new(info, SessionAction::Shown)).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
