//! `aether session list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::Status;
use crate::ops::tags::TagFilter;
use crate::ops::{session_graph, session_list};
use crate::ui::view::{GraphView, SessionAction, SessionView};

/// List the sessions
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether session list
  aether session list --mounted -q
  aether session list --graph
  aether session list --status archived
  aether session list --health failing
  aether session list --json")]
pub(crate) struct Args {
    /// Only those that are mounted
    #[arg(long)]
    mounted: bool,
    /// Only those with this status: active, review, pending-approval, conflict or archived
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<Status>,
    /// Only those with this tag; can be given more than once
    #[arg(long = "tag", value_name = "KEY[=VALUE]")]
    tags: Vec<String>,
    /// Only those whose newest test result is this: passing or failing; `unknown` where there is none
    #[arg(long, value_name = "HEALTH", value_parser = ["unknown", "passing", "failing"])]
    health: Option<String>,
    /// Draw where they come from: revisions, checkpoints and forks
    #[arg(long, conflicts_with_all = ["mounted", "tags", "status", "health"])]
    graph: bool,
}

fn status(word: &str) -> Result<Status, String> {
    Status::from_word(word).ok_or_else(|| "there is no such status".to_owned())
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        if self.graph {
            let graph = GraphView::new(&session_graph::run(&mut cx.ops)?);
            match cx.ui.json() {
                true => cx.ui.list(&graph.0)?,
                false => cx.ui.show(&graph)?,
            }
            return Ok(Exit::DONE);
        }
        let sessions = session_list::list(&mut cx.ops)?;
        let tags = TagFilter::new(&self.tags)?;
        let wanted = sessions.iter().filter(|info| tags.matches(&info.tags));
        let wanted = wanted.filter(|info| self.status.is_none_or(|status| info.session.status == status));
        let wanted = wanted.filter(|info| self.health.as_deref().is_none_or(|word| info.health_word() == word));
        let wanted = wanted.filter(|info| !self.mounted || !info.mounts.is_empty());
        let rows: Vec<_> = wanted.map(|info| SessionView::new(info, SessionAction::Shown)).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
