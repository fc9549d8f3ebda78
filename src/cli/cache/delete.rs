//! `aether cache delete`

use super::ConditionArgs;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::cache;
use crate::ui::view::CacheRemovedView;

/// Remove entries
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
#[command(after_help = "\
Examples:
  aether -s fix-login cache set build/id 4711 && aether -s fix-login cache delete build/id
  aether -s fix-login cache delete --prefix build/")]
pub(crate) struct Args {
    /// The key
    #[arg(required_unless_present = "prefix")]
    key: Option<String>,
    /// All whose keys begin with this; there may be none
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["key", "if_version"])]
    prefix: Option<String>,
    #[command(flatten)]
    condition: ConditionArgs,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let removed = match (self.key, self.prefix) {
            (Some(key), _) => cache::delete(&mut cx.ops, None, &key, self.condition.condition())?,
            (None, prefix) => cache::delete_prefix(&mut cx.ops, None, &prefix.unwrap_or_default())?,
        };
        cx.ui.show(&CacheRemovedView::new(&removed))?;
        Ok(Exit::DONE)
    }
}
