//! `aether session show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::session_list;
use crate::ui::view::{SessionAction, SessionView};

/// Show a session: its base, status, tags and mounts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session show fix-login
  AETHER_SESSION=fix-login aether session show --json")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = session_list::show(&mut cx.ops, self.session.session.as_deref())?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Shown))?;
        Ok(Exit::DONE)
    }
}
