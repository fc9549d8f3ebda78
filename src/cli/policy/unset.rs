//! `aether policy unset`

use super::SourceArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::policy;
use crate::ui::view::PolicyView;

/// Take the policy of a source away
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  printf '[limits]\\nchanged_files = 100\\n' | aether policy set web --file - -q && aether policy unset web")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let source = policy::unset(&mut cx.ops, &self.source.source)?;
        cx.ui.show(&PolicyView::changed(&source, None))?;
        Ok(Exit::DONE)
    }
}
