//! `aether session archive`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::session_archive;
use crate::ui::view::{SessionAction, SessionView};

/// Put a session away
///
/// It is unmounted, its state is stored, and its live files go. Nothing of it is lost, and `aether session activate` brings
/// it back in a moment. Until then it cannot be mounted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session archive fix-login")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = session_archive::archive(&mut cx.ops, self.session.session.as_deref())?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Archived))?;
        Ok(Exit::DONE)
    }
}
