//! `aether lock break`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::lock;
use crate::ui::view::{LockAction, LockView};

/// Take a lock away from whoever holds it
///
/// The reason stands in the history.
#[derive(Debug, clap::Args)]
#[command(name = "break")]
#[command(after_help = "\
Examples:
  aether -s fix-login lock acquire lib && aether -s fix-login lock break lib --reason 'ann is away'")]
pub(crate) struct Args {
    /// The path or pattern as it was locked, or the token
    #[arg(value_name = "PATH|GLOB|TOKEN")]
    which: OsString,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let lock = lock::break_one(&mut cx.ops, None, &self.which, &self.reason)?;
        cx.ui.show(&LockView::new(&lock, LockAction::Broken))?;
        Ok(Exit::DONE)
    }
}
