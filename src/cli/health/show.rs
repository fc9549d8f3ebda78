//! `aether health show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::health;
use crate::ui::view::{HealthRow, HealthView};

/// Show a session's health
///
/// It also says whether the result is about what the session holds now, which takes a look at its changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether health show fix-login
  aether health show fix-login --history --json")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// List all results, the newest first
    #[arg(long)]
    history: bool,
    /// With `--history`, at most so many
    #[arg(short = 'n', long, value_name = "N", requires = "history")]
    limit: Option<u32>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let limit = if self.history { self.limit.unwrap_or(u32::MAX) } else { 1 };
        let shown = health::show(&mut cx.ops, self.session.session.as_deref(), limit, !self.history)?;
        if self.history {
            cx.ui.list(&shown.history.iter().map(HealthRow::new).collect::<Vec<_>>())?;
        } else {
            cx.ui.show(&HealthView::shown(&shown))?;
        }
        Ok(Exit::DONE)
    }
}
