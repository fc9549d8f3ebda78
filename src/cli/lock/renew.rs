//! `aether lock renew`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{lock, time};
use crate::ui::view::{LockAction, LockView};

/// Hold a lock for longer
///
/// Exit code 4 says that it is lost: it has expired, or somebody broke it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether lock renew $(aether -s fix-login lock acquire lib) --ttl 1h")]
pub(crate) struct Args {
    /// What `acquire` printed
    token: String,
    /// For how long from now
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    ttl: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let ttl_ns = time::duration(&self.ttl)?;
        let lock = lock::renew(&mut cx.ops, &self.token, ttl_ns)?;
        cx.ui.show(&LockView::new(&lock, LockAction::Renewed))?;
        Ok(Exit::DONE)
    }
}
