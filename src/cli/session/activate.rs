//! `aether session activate`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::session_archive;
use crate::ui::view::{SessionAction, SessionView};

/// Bring a session back from the archive
///
/// It is as it was, and can be mounted again. An expiry that is over is forgotten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session archive fix-login && aether session activate fix-login")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = session_archive::activate(&mut cx.ops, self.session.session.as_deref())?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Activated))?;
        Ok(Exit::DONE)
    }
}
