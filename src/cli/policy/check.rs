//! `aether policy check`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::policy;
use crate::ui::view::CheckedView;

/// Say what is missing for each action on what a session holds
///
/// With `--action`, only for that one, and the exit code is 5 if something is missing: so other programs can ask before they do
/// something of their own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether policy check fix-login
  aether policy check fix-login --action deploy && echo deploy")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// Only for this action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (session, action) = (self.session.session.as_deref(), self.action.as_deref());
        let (session, checked) = policy::check(&mut cx.ops, session, action)?;
        cx.ui.list(&checked.iter().map(|checked| CheckedView::new(&session, checked)).collect::<Vec<_>>())?;
        let is_refused = action.is_some() && checked.iter().any(|checked| !checked.lacks.is_empty());
        Ok(if is_refused { Exit::REFUSED } else { Exit::DONE })
    }
}
