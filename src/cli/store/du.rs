//! `aether store du`, and `aether du`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::du;
use crate::ui::view::DiskUseView;

/// Say where the disk space goes
///
/// OWN is what only this source, session or checkpoint needs, SHARED what others need, too, and LIVE what a session has
/// written since it was last stored. Deleting one frees what it has alone, with its live files: once it leaves the trash,
/// and as soon as nothing can bring it back by `undo`. Shared bytes count once in the sums, which are those of the disk.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether du
  aether store du --json")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let found = du::run(&mut cx.ops)?;
        cx.ui.show(&DiskUseView::new(&found, cx.ui.is_for_people()))?;
        Ok(Exit::DONE)
    }
}
