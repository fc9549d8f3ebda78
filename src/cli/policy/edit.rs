//! `aether policy edit`

use super::SourceArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{self, policy};
use crate::ui::view::PolicyView;

/// What somebody begins with who has no policy.
const TEMPLATE: &str = "\
# What each action needs before it happens. `aether policy set --help` shows all there is.
#
# [actions.merge]
# grants = 1
# own = false
";

/// Change the policy of a source in an editor
///
/// The editor is `ui.editor`, else VISUAL or EDITOR. A policy with a mistake in it is not taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  EDITOR=true aether policy edit web")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (_, text) = policy::get(&mut cx.ops, &self.source.source)?;
        let dir = cx.config.paths.make_runtime().map_err(ops::Error::from)?;
        let file = dir.join(format!("POLICY_EDIT.{}.toml", std::process::id()));
        let edited = cx.ui.edit(&cx.config.editor, &file, text.as_deref().unwrap_or(TEMPLATE));
        let edited = edited.map_err(|source| ops::Error::Io { path: file, source })?;
        let edited = String::from_utf8_lossy(&edited);
        let source = policy::set(&mut cx.ops, &self.source.source, &edited, "as it was edited")?;
        cx.ui.show(&PolicyView::changed(&source, Some(&edited)))?;
        Ok(Exit::DONE)
    }
}
