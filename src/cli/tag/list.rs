//! `aether tag list`

use super::KindArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::tags::{self, TagFilter};
use crate::ui::view::TagView;

/// List tags
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
#[command(after_help = "\
Examples:
  aether tag list
  aether tag list fix-login
  aether tag list --tag team --json")]
pub(crate) struct Args {
    /// Only those of this session or source
    #[arg(value_name = "WHAT", add = clap_complete::ArgValueCandidates::new(names::tagged))]
    key: Option<String>,
    #[command(flatten)]
    kind: KindArg,
    /// Only those of objects with this tag; can be given more than once
    #[arg(long = "tag", value_name = "KEY[=VALUE]")]
    tags: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let target = self.key.map(|key| self.kind.target(key));
        let found = tags::list(&mut cx.ops, target.as_ref(), &TagFilter::new(&self.tags)?)?;
        cx.ui.list(&found.iter().map(TagView::new).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
