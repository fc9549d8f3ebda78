//! `aether approval show`

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::approval;
use crate::ops::session_changes::Request;
use crate::ui::view::ApprovalView;

/// Show an approval: what is asked, what was answered, and what it is about
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval show fix-login
  aether approval show fix-login --json")]
pub(crate) struct Args {
    #[command(flatten)]
    approval: KeyArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = approval::show(&mut cx.ops, &self.approval.key)?;
        let compared = approval::difference(&mut cx.ops, &info.approval, &Request::default())?;
        cx.ui.show(&ApprovalView::with_content(&info, &compared))?;
        Ok(Exit::DONE)
    }
}
