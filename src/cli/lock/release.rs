//! `aether lock release`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::lock;
use crate::ui::view::{LockAction, LockView};

/// Let go of a lock
///
/// Exit code 4 says that it was lost before.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether lock release $(aether -s fix-login lock acquire lib)")]
pub(crate) struct Args {
    /// What `acquire` printed
    token: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let lock = lock::release(&mut cx.ops, &self.token)?;
        cx.ui.show(&LockView::new(&lock, LockAction::Released))?;
        Ok(Exit::DONE)
    }
}
