//! `aether commit delete`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::commit_list;
use crate::ui::view::{CommitAction, CommitView};

/// Delete commits
///
/// They go to the trash; of several, all or none. One that sessions began with is refused, unless `--force` is given: the
/// sessions keep their content either way. Commits that follow it stay.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
#[command(after_help = "\
Examples:
  aether commit delete \"$(aether commit list -q | head -n 1)\"")]
pub(crate) struct Args {
    /// The commits
    #[arg(required = true, value_name = "COMMIT", add = clap_complete::ArgValueCandidates::new(names::commits))]
    commits: Vec<String>,
    /// Also those that sessions began with
    #[arg(long)]
    force: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        for info in commit_list::delete(&mut cx.ops, &self.commits, self.force)? {
            cx.ui.show(&CommitView::new(&info, CommitAction::Deleted))?;
        }
        Ok(Exit::DONE)
    }
}
