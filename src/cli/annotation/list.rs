//! `aether annotation list`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::annotation::{self, Filter, Wanted};
use crate::ui::view::AnnotationView;

/// List the notes of a session, or those that a commit carries
///
/// A commit carries the notes of its session as they were when it was made, and keeps them when the session is gone.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether -s fix-login annotation list
  aether annotation list --commit \"$(aether commit list -q | head -n 1)\"
  aether -s fix-login annotation list lib --state open --author ann --json")]
pub(crate) struct Args {
    /// Only those at this path, or below it
    #[arg(value_name = "PATH")]
    path: Option<OsString>,
    /// Those that this commit carries
    #[arg(long, value_name = "COMMIT", add = clap_complete::ArgValueCandidates::new(names::commits))]
    commit: Option<String>,
    /// Only those that are open, or resolved
    #[arg(long, value_name = "STATE", value_parser = ["open", "resolved"])]
    state: Option<String>,
    /// Only those of this actor
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u32>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let is_open = self.state.map(|state| state == "open");
        let filter = Filter { is_open, actor: self.author, limit: self.limit, ..Filter::default() };
        let found = match &self.commit {
            Some(commit) => annotation::carried(&mut cx.ops, commit, self.path, &filter)?,
            None => annotation::list(&mut cx.ops, &Wanted { session: None, path: self.path, filter })?,
        };
        cx.ui.list(&found.iter().map(|info| AnnotationView::new(info, None)).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
