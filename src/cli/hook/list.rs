//! `aether hook list`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::hooks::find;
use crate::ui::view::HookRow;

/// List the hooks that are installed
///
/// With why one is not run: another name than hooks have, a file that is not executable or that others can write. While
/// such a hook is there, what it is about is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether hook list
  aether hook list --json")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let listed = find::list(&mut cx.ops)?;
        cx.ui.list(&listed.iter().map(HookRow::new).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
