//! `aether policy show`

use super::SourceArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::policy::{self, PolicyError};
use crate::ops::{self};
use crate::ui::view::PolicyView;

/// Show the policy of a source, as it was written
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  printf '[limits]\\nchanged_files = 100\\n' | aether policy set web --file - -q && aether policy show web")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (source, text) = policy::get(&mut cx.ops, &self.source.source)?;
        let none = || ops::Error::from(PolicyError::None { source_name: source.name.clone() });
        let text = text.ok_or_else(none)?;
        cx.ui.show(&PolicyView::shown(&source, &text))?;
        Ok(Exit::DONE)
    }
}
