//! `aether checkpoint create`, and `aether checkpoint`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::checkpoint_create::{self, Request};
use crate::ui::view::{CheckpointAction, CheckpointView};

/// Keep the present state of a session
///
/// The session may be mounted and written meanwhile. The checkpoint is one moment of it: what a program wrote and had
/// answered before the command began is in it, ignored files and build output too.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(after_help = "\
Examples:
  aether checkpoint create fix-login -m 'tests pass'
  aether checkpoint create fix-login --name before-lunch
  aether checkpoint create fix-login --if-changed -q")]
pub(crate) struct Args {
    /// The session; the current one if it is left out
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// What to say of it
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// A name, unique in the session; `SESSION@NAME` then stands for it too
    #[arg(long)]
    name: Option<String>,
    /// Do nothing, and print nothing, if nothing changed since the last one
    #[arg(long)]
    if_changed: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let message = self.message.unwrap_or_default();
        let request = Request { session: self.session, name: self.name, message, if_changed: self.if_changed };
        if let Some((session, checkpoint)) = checkpoint_create::run(&mut cx.ops, &request)? {
            cx.ui.show(&CheckpointView::new(&session, &checkpoint, CheckpointAction::Created))?;
        }
        Ok(Exit::DONE)
    }
}
