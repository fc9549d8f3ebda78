//! `aether source list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::source_list;
use crate::ops::tags::TagFilter;
use crate::ui::view::{SourceAction, SourceView};

/// List the sources
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether source list
  aether source list --json")]
pub(crate) struct Args {
    /// Only those with this tag; can be given more than once
    #[arg(long = "tag", value_name = "KEY[=VALUE]")]
    tags: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let sources = source_list::list(&mut cx.ops)?;
        let tags = TagFilter::new(&self.tags)?;
        let wanted = sources.iter().filter(|info| tags.matches(&info.tags));
        let rows: Vec<_> = wanted.map(|info| SourceView::new(info, SourceAction::Shown)).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
