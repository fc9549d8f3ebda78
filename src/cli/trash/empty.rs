//! `aether trash empty`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::{self, trash};
use crate::ui::view::{TrashAction, TrashView};

/// Remove what is in the trash for good
///
/// This cannot be undone. It asks first, on a terminal; elsewhere it needs `--yes`. A source that sessions came from
/// stays in the trash as long as they are there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether trash empty --yes
  aether session delete login-bug && aether trash empty --yes login-bug")]
pub(crate) struct Args {
    /// Only these: names, ids, or unique prefixes of ids
    #[arg(value_name = "WHAT", add = clap_complete::ArgValueCandidates::new(names::trash))]
    keys: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let found = trash::find(&mut cx.ops, &self.keys)?;
        if found.is_empty() {
            cx.ui.note("the trash is empty");
            return Ok(Exit::DONE);
        }
        let count = found.len();
        let what = format!("{count} {} for good", if count == 1 { "object" } else { "objects" });
        if !self.yes && !cx.ui.confirm(&format!("Remove {what}?"))? {
            return Err(ops::Error::NeedsYes { what: format!("this removes {what}") }.into());
        }
        let emptied = trash::empty(&mut cx.ops, &found)?;
        for kept in &emptied.kept {
            cx.ui.note(&format!("{} {} stays: sessions came from it", kept.kind, kept.name));
        }
        for removed in &emptied.removed {
            cx.ui.show(&TrashView::new(removed, TrashAction::Removed))?;
        }
        Ok(Exit::DONE)
    }
}
