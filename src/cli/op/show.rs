//! `aether op show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::op_log;
use crate::ui::view::OperationView;

/// Show an operation, and what it changed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether op show 1
  aether op show 1 --json")]
pub(crate) struct Args {
    /// Its number
    #[arg(value_name = "N")]
    number: i64,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (info, changes) = op_log::show(&mut cx.ops, self.number)?;
        cx.ui.show(&OperationView::new(&info).with_changes(&changes))?;
        Ok(Exit::DONE)
    }
}
