//! `aether approval grant`, `deny` and `cancel`

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::approval::{self, Reply, Verdict};
use crate::ui::view::{ApprovalAction, ApprovalView};

/// Say that it may happen
///
/// Where several grants are needed, each has to come from another actor.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval grant fix-login -m 'looks good' --as bob")]
pub(crate) struct Grant {
    #[command(flatten)]
    approval: KeyArg,
    #[command(flatten)]
    words: Words,
}

/// Say that it may not happen
///
/// One no is enough. The action is refused as long as the session holds this content and nobody grants it anew.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval deny fix-login -m 'tests are missing' --as bob")]
pub(crate) struct Deny {
    #[command(flatten)]
    approval: KeyArg,
    #[command(flatten)]
    words: Words,
}

/// Take the question back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval cancel fix-login")]
pub(crate) struct Cancel {
    #[command(flatten)]
    approval: KeyArg,
    #[command(flatten)]
    words: Words,
}

/// What is said.
#[derive(Debug, clap::Args)]
struct Words {
    /// With these words
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

impl Run for Grant {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        answer(cx, self.approval, self.words, Verdict::Grant)
    }
}

impl Run for Deny {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        answer(cx, self.approval, self.words, Verdict::Deny)
    }
}

impl Run for Cancel {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        answer(cx, self.approval, self.words, Verdict::Cancel)
    }
}

fn answer(cx: &mut Cx, approval: KeyArg, words: Words, verdict: Verdict) -> Result<Exit, Error> {
    let reply = Reply { key: approval.key, verdict, message: words.message.unwrap_or_default() };
    let answered = approval::answer(&mut cx.ops, &reply)?;
    cx.ui.show(&ApprovalView::new(&answered, ApprovalAction::Answered(verdict)))?;
    Ok(Exit::DONE)
}
