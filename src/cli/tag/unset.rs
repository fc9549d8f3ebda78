//! `aether tag unset`

use super::What;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::tags;
use crate::ui::view::TagView;

/// Remove tags of a session or a source
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether tag set fix-login task=7 && aether tag unset fix-login task")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
    /// The keys of the tags
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let left = tags::unset(&mut cx.ops, &self.what.target(), &self.keys)?;
        cx.ui.list(&left.iter().map(TagView::new).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
