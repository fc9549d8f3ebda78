//! `aether redo`

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};
use crate::ops::undo;
use crate::ui::view::UndoneView;

/// Do again what was undone last
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether undo
  aether redo")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let redone = undo::redo(&mut cx.ops)?;
        cx.ui.show(&UndoneView::new(&redone))?;
        Ok(Exit::DONE)
    }
}
