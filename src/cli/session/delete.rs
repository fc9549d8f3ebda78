//! `aether session delete`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::{self, session_delete};
use crate::ui::view::{SessionAction, SessionView};

/// Delete a session
///
/// It goes to the trash, with its changes. A session that is mounted is refused. One with changes that nobody kept asks
/// first, on a terminal; elsewhere it needs `--yes`.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
#[command(after_help = "\
Examples:
  aether session delete login-bug
  aether session delete --yes fix-login")]
pub(crate) struct Args {
    /// The session
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: String,
    /// Delete its changes without asking
    #[arg(short, long)]
    yes: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = match session_delete::run(&mut cx.ops, &self.session, self.yes) {
            Err(ops::Error::HasChanges { name }) if cx.ui.can_ask() => {
                let question = format!("Session `{name}` has changes that were not kept. Delete them?");
                if !cx.ui.confirm(&question)? {
                    return Err(ops::Error::HasChanges { name }.into());
                }
                session_delete::run(&mut cx.ops, &self.session, true)?
            }
            other => other?,
        };
        cx.ui.show(&SessionView::new(&info, SessionAction::Deleted))?;
        Ok(Exit::DONE)
    }
}
