//! `aether commit diff`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::diff::Form;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::{commit_list, session_changes};

/// Show what changed in a commit
///
/// It is compared with the commit before; the first one, and any with `--whole`, with what its session stood on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether commit diff \"$(aether commit list -q | head -n 1)\"
  aether commit diff --whole --stat \"$(aether commit list -q | head -n 1)\"")]
pub(crate) struct Args {
    /// The commit
    #[arg(value_name = "COMMIT", add = clap_complete::ArgValueCandidates::new(names::commits))]
    commit: String,
    /// All that it brings to what its session stood on
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    form: Form,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = self.form.request(None)?;
        let commit = commit_list::show(&mut cx.ops, &self.commit)?.commit;
        let compared = session_changes::of_commit(&mut cx.ops, &commit, self.whole, &request)?;
        self.form.show(cx, &compared)
    }
}
