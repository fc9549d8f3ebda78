//! `aether source diff`

use crate::cli::context::Cx;
use crate::cli::diff::Form;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, names};
use crate::ops::session_changes;

/// Show how a revision differs from the one before, or two revisions from each other
///
/// A source alone is its newest revision. Otherwise as `aether diff`, which compares sessions and checkpoints too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source diff web
  aether source diff web@1 web@2 --stat
  aether source diff web@2 --name-status -- src")]
pub(crate) struct Args {
    /// A source, or a revision of it
    #[arg(value_name = "SOURCE[@REVISION]", add = clap_complete::ArgValueCandidates::new(names::sources))]
    revision: String,
    /// The revision to compare it with; the one before the first if not given
    #[arg(value_name = "SOURCE[@REVISION]", add = clap_complete::ArgValueCandidates::new(names::sources))]
    other: Option<String>,
    #[command(flatten)]
    form: Form,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = self.form.request(None)?;
        let compared = session_changes::of_revisions(&mut cx.ops, &self.revision, self.other.as_deref(), &request)?;
        self.form.show(cx, &compared)
    }
}
