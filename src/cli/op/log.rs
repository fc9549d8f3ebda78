//! `aether op log`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::op_log;
use crate::ui::view::OperationView;

/// List the operations, newest first
#[derive(Debug, clap::Args)]
#[command(visible_alias = "list")]
#[command(after_help = "\
Examples:
  aether op log
  aether op log --limit 3 --json")]
pub(crate) struct Args {
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: u32,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let operations = op_log::list(&mut cx.ops, self.limit)?;
        let rows: Vec<_> = operations.iter().map(OperationView::new).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
