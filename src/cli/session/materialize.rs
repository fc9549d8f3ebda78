//! `aether session materialize`

use std::path::PathBuf;

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::source::progress::Display;
use crate::cli::{Run, interrupt, names};
use crate::ops::materialize;
use crate::ops::source_import::Watch;
use crate::ui::view::MaterializedView;

/// Write a session's tree to a plain directory
///
/// For where FUSE is not to be had. The directory must not be there yet, or be empty, and appears when it is whole. Modes,
/// times, attributes, hard links and holes are kept, owners and devices for root; files that are still in the directory
/// that the source was made of share their bytes with it where the file system can. `session absorb` takes what happens
/// in it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session materialize fix-login ~/fix-login
  aether session materialize fix-login plain && aether session absorb fix-login plain")]
pub(crate) struct Args {
    /// The session
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: String,
    /// Where to write it
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let display = Display::new(&cx.ui, "Writing");
        let watch = Watch { progress: &display, cancel: &cancel };
        let made = materialize::run(&mut cx.ops, Some(&self.session), &self.dir, watch)?;
        drop(display);
        for line in &made.left_out {
            cx.ui.warn(&format!("not written: {line}"));
        }
        cx.ui.show(&MaterializedView::new(&made))?;
        Ok(Exit::DONE)
    }
}
