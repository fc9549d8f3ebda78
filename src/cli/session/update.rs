//! `aether session update`, and `aether update`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::merge::{exit, style};
use crate::cli::names::SessionArg;
use crate::ops::merge::{self, Request};
use crate::ui::view::MergeView;

/// Bring a session up to a newer revision of its source
///
/// A merge, as `aether merge` does it; afterwards the session stands on that revision, and what it changed is what
/// differs from it. With conflicts, `aether conflict` is how to go on, or `aether merge --abort`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session update fix-login
  aether update fix-login --dry-run
  aether update fix-login --to 2")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// The number of the revision; the newest if it is left out
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
    /// Only say what would change, and where the sides do not agree
    #[arg(long)]
    dry_run: bool,
    /// Show beside both sides of a conflict what they came from
    #[arg(long)]
    diff3: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (into, from) = (self.session.session, self.to.unwrap_or_default());
        let request = Request { from, into, dry_run: self.dry_run, style: style(self.diff3) };
        let report = merge::update(&mut cx.ops, &request)?;
        cx.ui.show(&MergeView::new(&report))?;
        Ok(exit(&report))
    }
}
