//! `aether session rename`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::session_rename;
use crate::ui::view::{SessionAction, SessionView};

/// Give a session another name
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session rename fix-login fix-logout")]
pub(crate) struct Args {
    /// The session
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: String,
    /// Its new name
    name: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = session_rename::run(&mut cx.ops, &self.session, &self.name)?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Renamed))?;
        Ok(Exit::DONE)
    }
}
