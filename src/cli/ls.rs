//! `aether ls`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::ops::tree_read;
use crate::ui::view::{EntryView, NamesView};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// List a directory of any state, without a mount
///
/// The state is a session as it is, a checkpoint or a revision; `@` is the current session. Without a path, its root is
/// listed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether ls fix-login@1
  aether ls -l web@1:lib
  aether -s fix-login ls @:lib")]
pub(crate) struct Args {
    /// The directory
    #[arg(value_name = "STATE[:PATH]")]
    dir: OsString,
    /// Show modes, owners, sizes and times
    #[arg(short, long)]
    long: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let listed = tree_read::list(&mut cx.ops, self.dir.as_bytes())?;
        let rows: Vec<_> = listed.entries.iter().map(EntryView::new).collect();
        if self.long || cx.ui.json() {
            cx.ui.list(&rows)?;
        } else if cx.ui.is_for_people() {
            cx.ui.show(&NamesView(rows))?;
        } else {
            let lines = listed.entries.iter().map(|entry| [entry.name.as_bytes(), b"\n"].concat());
            cx.ui.raw(&lines.collect::<Vec<_>>().concat())?;
        }
        Ok(Exit::DONE)
    }
}
