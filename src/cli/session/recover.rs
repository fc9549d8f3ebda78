//! `aether session recover`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::session_recover;
use crate::ui::view::RecoveryView;

/// Bring back a session whose journal is damaged
///
/// The session becomes what it was where the damage begins: the last state that is known to have been. Files that were made
/// behind the damage, and of which all that was written can be read, come in a checkpoint beside it, to be looked at and
/// restored path by path. What is lost is listed. The damaged files are kept in the directory `damaged` of the data
/// directory; nothing is deleted. A session that is not damaged stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session recover fix-login --dry-run
  aether session recover fix-login")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// Only say what is lost, and what would come back
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let recovery = session_recover::run(&mut cx.ops, self.session.session.as_deref(), self.dry_run)?;
        cx.ui.show(&RecoveryView::from(&recovery))?;
        Ok(Exit::DONE)
    }
}
