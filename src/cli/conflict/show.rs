//! `aether conflict show`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::merge;
use crate::ui::view::SidesView;

/// Show what both sides of a conflict have, and what they came from
///
/// The session is the current one, or that of `-s`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login conflict show lib/app.js
  aether -s fix-login conflict show lib/app.js --json")]
pub(crate) struct Args {
    /// The path, as `aether conflict list` has it
    path: OsString,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let sides = merge::sides(&mut cx.ops, None, &super::path(&self.path)?)?;
        cx.ui.show(&SidesView::new(&sides))?;
        Ok(Exit::DONE)
    }
}
