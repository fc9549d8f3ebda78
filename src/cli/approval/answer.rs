//! `aether approval grant`, `deny` and `cancel`

use std::path::PathBuf;

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops;
use crate::ops::approval::{self, ApprovalError, Reply, Verdict};
use crate::ui::view::{ApprovalAction, ApprovalView};

/// Say that it may happen
///
/// Where several grants are needed, each has to come from another actor. `--sign` signs it with an SSH key, as `ssh-keygen -Y
/// sign` does, so that a program without the key cannot grant what the policy wants signed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether approval grant fix-login -m 'looks good' --as bob")]
pub(crate) struct Grant {
    #[command(flatten)]
    approval: KeyArg,
    #[command(flatten)]
    words: Words,
    /// Sign it with the SSH key that `--key` or `user.signing_key` in the config names
    #[arg(long)]
    sign: bool,
    /// The file of the key, or of its public half if an agent holds it
    #[arg(long = "key", id = "key-file", value_name = "FILE", requires = "sign")]
    key_file: Option<PathBuf>,
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
        let key = match (self.sign, self.key_file, &cx.config.signing_key) {
            (false, ..) => None,
            (true, Some(key), _) => Some(key),
            (true, None, Some(key)) => Some(key.clone()),
            (true, None, None) => return Err(ops::Error::from(ApprovalError::NoKey).into()),
        };
        answer(cx, self.approval, self.words, (Verdict::Grant, key))
    }
}

impl Run for Deny {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        answer(cx, self.approval, self.words, (Verdict::Deny, None))
    }
}

impl Run for Cancel {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        answer(cx, self.approval, self.words, (Verdict::Cancel, None))
    }
}

fn answer(
    cx: &mut Cx,
    approval: KeyArg,
    words: Words,
    (verdict, sign_with): (Verdict, Option<PathBuf>),
) -> Result<Exit, Error> {
    let reply = Reply { key: approval.key, verdict, message: words.message.unwrap_or_default(), sign_with };
    let answered = approval::answer(&mut cx.ops, &reply)?;
    cx.ui.show(&ApprovalView::new(&answered, ApprovalAction::Answered(verdict)))?;
    Ok(Exit::DONE)
}
