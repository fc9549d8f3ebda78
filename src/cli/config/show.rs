//! `aether config show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ui::view::SettingView;

/// Show every setting
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether config show
  aether config show --origin
  AETHER_UI_COLOR=never aether config show --origin --json")]
pub(crate) struct Args {
    /// Say where each value comes from
    #[arg(long)]
    origin: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let rows: Vec<_> = cx.config.settings.iter().map(|setting| SettingView::new(setting, self.origin)).collect();
        cx.ui.list(&rows)?;
        Ok(Exit::DONE)
    }
}
