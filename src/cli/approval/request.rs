//! `aether approval request`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{approval, time};
use crate::ui::view::{ApprovalAction, ApprovalView};

/// Ask whether an action may happen to what the session holds
///
/// Until it is decided the action is refused, and the session's status is `pending-approval`. An open question about the
/// same action and another content is taken back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login approval request commit -m 'fixes the login' --expires 2d
  aether -s login-bug approval request deploy --details '{\"ticket\": 7}' --freeze -q")]
pub(crate) struct Args {
    /// commit, merge, promote, apply, delete, or a word of your own
    #[arg(value_name = "ACTION")]
    action: String,
    /// Why
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// A JSON object for whoever decides
    #[arg(long, value_name = "JSON")]
    details: Option<String>,
    /// For how long it can be decided
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    /// Nothing in the session can be changed until it is decided
    #[arg(long)]
    freeze: bool,
    /// How many actors have to grant it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    grants: Option<u32>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = approval::Request {
            session: None,
            action: self.action,
            reason: self.message.unwrap_or_default(),
            details: self.details,
            expires_in_ns: self.expires.as_deref().map(time::duration).transpose()?,
            freeze: self.freeze,
            grants: self.grants,
        };
        let asked = approval::request(&mut cx.ops, &request)?;
        cx.ui.show(&ApprovalView::new(&asked, ApprovalAction::Requested))?;
        Ok(Exit::DONE)
    }
}
