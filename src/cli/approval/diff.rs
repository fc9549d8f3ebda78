//! `aether approval diff`

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::diff::Form;
use crate::cli::exit::{Error, Exit};
use crate::ops::approval;

/// Show what differs in what an approval is about
///
/// It can be seen as long as the approval is kept, whatever became of the session since.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval diff fix-login
  aether approval diff fix-login --stat -- lib")]
pub(crate) struct Args {
    #[command(flatten)]
    approval: KeyArg,
    #[command(flatten)]
    form: Form,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = self.form.request(None)?;
        let approval = approval::find(&mut cx.ops, &self.approval.key)?;
        let compared = approval::difference(&mut cx.ops, &approval, &request)?;
        self.form.show(cx, &compared)
    }
}
