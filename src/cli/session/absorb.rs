//! `aether session absorb`

use std::path::PathBuf;

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::source::progress::Display;
use crate::cli::{Run, interrupt, names};
use crate::ops::absorb::{self, Request};
use crate::ops::source_import::Watch;
use crate::ui::view::{AbsorbedView, plural};

/// Take what happened in a plain directory back into a session
///
/// Of a directory that `session materialize` wrote, only files are read whose size, times or inode differ from what they
/// were then. The state before becomes a checkpoint. What the session changed elsewhere meanwhile stays; where both
/// changed the same path, nothing is taken unless `--force` has the directory win. A mounted session shows it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session materialize fix-login plain && aether session absorb fix-login plain
  aether session absorb fix-login plain --dry-run")]
pub(crate) struct Args {
    /// The session
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: String,
    /// The directory
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
    /// Let the directory win where both changed
    #[arg(short, long)]
    force: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let display = Display::new(&cx.ui, "Reading");
        let watch = Watch { progress: &display, cancel: &cancel };
        let request = Request { session: Some(self.session), dir: self.dir, force: self.force, dry_run: self.dry_run };
        let absorbed = absorb::run(&mut cx.ops, &request, watch)?;
        drop(display);
        for line in &absorbed.left_out {
            cx.ui.warn(&format!("left out {line}"));
        }
        cx.ui.detail(&format!("{} read", plural(absorbed.files_read, "file")));
        cx.ui.show(&AbsorbedView::new(&absorbed, self.dry_run))?;
        Ok(Exit::DONE)
    }
}
