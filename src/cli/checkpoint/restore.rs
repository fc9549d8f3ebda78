//! `aether checkpoint restore`, and `aether restore`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::diff::letter_and_path;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::checkpoint_restore::{self, Request};
use crate::ui::view::{ChangeView, NameStatusView, RestoreView};

/// Make a session what it was
///
/// The session becomes what the checkpoint holds: names, contents, attributes, times and inode numbers, ignored files
/// and build output too. It may be mounted, and then shows the restored tree at once, as if a program had made the
/// changes very fast: a file that somebody writes to goes on for them without a name, and a directory that is gone is
/// gone for those who work in it. The state before is made a checkpoint first, and its name printed.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(after_help = "\
Examples:
  aether checkpoint restore fix-login@1 --dry-run
  aether checkpoint restore fix-login@1 --path lib
  aether checkpoint restore fix-login@1
  aether restore 1")]
pub(crate) struct Args {
    /// The checkpoint: `SESSION@NUMBER`; of the current session `@NUMBER`, or the number alone
    #[arg(add = clap_complete::ArgValueCandidates::new(names::checkpoints))]
    checkpoint: String,
    /// Only this path and what is below it; what the checkpoint does not have there is removed. In the session's mount it
    /// is taken from the working directory. Can be given more than once
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<OsString>,
    /// Print a letter and a path for each change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = Request { checkpoint: self.checkpoint, paths: self.paths };
        if !self.dry_run {
            let restored = checkpoint_restore::run(&mut cx.ops, &request)?;
            cx.ui.show(&RestoreView::new(&restored))?;
            return Ok(Exit::DONE);
        }
        let planned = checkpoint_restore::plan(&mut cx.ops, &request)?;
        let visible = planned.visible();
        if cx.ui.json() {
            cx.ui.list(&visible.into_iter().map(ChangeView::new).collect::<Vec<_>>())?;
        } else if cx.ui.is_for_people() {
            cx.ui.show(&NameStatusView(visible.into_iter().map(ChangeView::new).collect()))?;
        } else {
            cx.ui.raw(&visible.into_iter().flat_map(letter_and_path).collect::<Vec<u8>>())?;
        }
        Ok(Exit::DONE)
    }
}
