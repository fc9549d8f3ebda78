//! `aether approval wait`

use std::time::Duration;

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::approval::{self, Ended};
use crate::ops::time;
use crate::ui::view::ApprovalView;

/// Wait until an approval is decided
///
/// Ends with 0 if it is granted, 5 if it is denied or cancelled, 4 if it expired or is stale, 6 if the time is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval grant fix-login -q && aether approval wait fix-login --timeout 10m")]
pub(crate) struct Args {
    #[command(flatten)]
    approval: KeyArg,
    /// For so long; else for ever
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let limit = self.timeout.as_deref().map(time::duration).transpose()?;
        let limit = limit.map(|nanos| Duration::from_nanos(nanos.unsigned_abs()));
        let (info, ended) = approval::wait(&mut cx.ops, &self.approval.key, limit)?;
        cx.ui.show(&ApprovalView::standing(&info))?;
        Ok(match ended {
            Ended::Granted => Exit::DONE,
            Ended::Refused => Exit::REFUSED,
            Ended::Stale => Exit::CONFLICT,
            Ended::TimedOut => Exit::BUSY,
        })
    }
}
