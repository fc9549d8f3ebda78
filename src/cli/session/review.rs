//! `aether session review`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::approval;
use crate::ui::view::{ApprovalAction, ApprovalView};

/// Ask others to look at a session
///
/// Its status is `review` until somebody decides (`aether approval grant`, `deny` or `cancel`). Meanwhile it is neither
/// committed, merged elsewhere, promoted nor applied.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session review fix-login -m 'is this the right way?'")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// What to look for
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Nothing in the session can be changed until it is decided
    #[arg(long)]
    freeze: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = approval::Request {
            session: self.session.session,
            action: approval::REVIEW.into(),
            reason: self.message.unwrap_or_default(),
            freeze: self.freeze,
            ..approval::Request::default()
        };
        let asked = approval::request(&mut cx.ops, &request)?;
        cx.ui.show(&ApprovalView::new(&asked, ApprovalAction::Requested))?;
        Ok(Exit::DONE)
    }
}
