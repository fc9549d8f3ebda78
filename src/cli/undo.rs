//! `aether undo`

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};
use crate::ops::undo;
use crate::ui::view::UndoneView;

/// Undo the last command that changed something
///
/// Again: the one before it. With a number: that operation, unless something was changed again since; the undo of an
/// undo brings back what it took. What was made goes to the trash, and a session whose content is put back, mounted or
/// not, is kept as a checkpoint first, so nothing is lost by an undo.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether undo
  aether undo 4")]
pub(crate) struct Args {
    /// The operation, by its number in `aether op log`
    #[arg(value_name = "N")]
    number: Option<i64>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let undone = undo::undo(&mut cx.ops, self.number)?;
        cx.ui.show(&UndoneView::new(&undone))?;
        Ok(Exit::DONE)
    }
}
