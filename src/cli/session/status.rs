//! `aether session status`, and `aether status`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::ops::session_changes::{self, Request};
use crate::ui::view::StatusView;

/// Show where a session stands and what it changed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session status login-bug
  aether status login-bug --json")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// Scratch paths too
    #[arg(long)]
    all: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = Request { session: self.session.session, all: self.all, paths: Vec::new() };
        let changed = session_changes::run(&mut cx.ops, &request)?;
        let change_set = changed.compared.hash()?.to_string();
        cx.ui.show(&StatusView::new(&changed, change_set))?;
        Ok(Exit::DONE)
    }
}
