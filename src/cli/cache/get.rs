//! `aether cache get`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::cache;
use crate::ui::view::CacheValueView;

/// Print the value of an entry
///
/// The bytes are printed as they are, with nothing added; on a terminal control characters are escaped. With `--json` a
/// value that is text is in `value`, another one in `value_base64`, and the version beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login cache set build/id 4711 && aether -s fix-login cache get build/id
  aether -s fix-login cache get build/id --json")]
pub(crate) struct Args {
    /// The key
    key: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (entry, value) = cache::get(&mut cx.ops, None, &self.key)?;
        if cx.ui.json() || cx.ui.prints_on_terminal() {
            cx.ui.show(&CacheValueView::new(&entry, &value))?;
        } else {
            cx.ui.raw(&value)?;
        }
        Ok(Exit::DONE)
    }
}
