//! `aether approval list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::approval::{self, ApprovalFilter, ApprovalState};
use crate::ui::view::{ApprovalAction, ApprovalView};

/// List approvals, newest first
///
/// With `--session` only those of that session.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether approval list
  aether approval list --state pending --session fix-login --json")]
pub(crate) struct Args {
    /// Only those that are pending, granted, denied, cancelled or expired
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<ApprovalState>,
    /// Only those for this action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: u32,
}

fn state(word: &str) -> Result<ApprovalState, String> {
    ApprovalState::from_word(word).ok_or_else(|| "there is no such state".to_owned())
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let session = cx.session_flag.clone().map(|key| cx.ops.resolve_session(Some(&key))).transpose()?;
        let filter = ApprovalFilter {
            session: session.map(|session| session.id),
            state: self.state,
            action: self.action,
            limit: Some(self.limit),
        };
        let found = approval::list(&mut cx.ops, &filter)?;
        cx.ui.list(&found.iter().map(|it| ApprovalView::new(it, ApprovalAction::Shown)).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
