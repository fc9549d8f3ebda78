//! `aether trash restore`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::trash;
use crate::ui::view::{TrashAction, TrashView};

/// Bring something back from the trash
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session delete login-bug && aether trash restore login-bug
  aether session delete fix-login && aether trash restore fix-login --name fix-again")]
pub(crate) struct Args {
    /// Its name, its id, or a unique prefix of its id
    #[arg(value_name = "WHAT", add = clap_complete::ArgValueCandidates::new(names::trash))]
    key: String,
    /// The name it is to have, if its own was taken since
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let found = trash::restore(&mut cx.ops, &self.key, self.name.as_deref())?;
        cx.ui.show(&TrashView::new(&found, TrashAction::Restored))?;
        Ok(Exit::DONE)
    }
}
