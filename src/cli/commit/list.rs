//! `aether commit list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::commit_list::{self, Which};
use crate::ops::tags::TagFilter;
use crate::ui::view::{CommitAction, CommitView};

/// List commits, the newest first
///
/// With a session, the commit that its next one follows, and all before that.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether commit list
  aether commit list fix-login --json
  aether commit list --tag release")]
pub(crate) struct Args {
    /// A session; `@` for the current one
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// Only those with this tag
    #[arg(long = "tag", value_name = "KEY[=VALUE]")]
    tags: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let filter = TagFilter::new(&self.tags)?;
        let which = self.session.map_or(Which::All, |session| Which::ChainOf(Some(session)));
        let commits = commit_list::list(&mut cx.ops, &which)?.into_iter().filter(|info| filter.matches(&info.tags));
        cx.ui.list(&commits.map(|info| CommitView::new(&info, CommitAction::Shown)).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
