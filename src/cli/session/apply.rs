//! `aether session apply`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names::SessionArg;
use crate::model::BytePath;
use crate::ops::Error as OpsError;
use crate::ops::session_apply::{self, Request};
use crate::ui::view::ApplyView;

/// Write what a session changed to the directory that it came from
///
/// Every path is compared first with what was imported. One that was changed there since is left alone and named, with
/// exit code 4; all others are written beside, synced, and put in their places, with mode, times and extended attributes.
/// What aether did not import is never overwritten, and no symbolic link is followed. Interrupted, it is run again: each
/// path is old or new, never half. Scratch stays out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session apply fix-login --dry-run
  aether run fix-login -- sh -c 'echo >>lib/app.js'; aether session apply fix-login
  aether session apply fix-login --path lib --to src/web")]
pub(crate) struct Args {
    #[command(flatten)]
    session: SessionArg,
    /// Another directory, which holds the same
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// Only this path of the tree, and what is below it; can be given more than once
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<OsString>,
    /// Only say what would be written
    #[arg(long)]
    dry_run: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let path = |path: &OsString| {
            BytePath::parse(path.as_bytes()).map_err(|why| OpsError::BadPath { path: path.into(), why })
        };
        let paths = self.paths.iter().map(path).collect::<Result<_, _>>()?;
        let request = Request { session: self.session.session, to: self.to, paths, dry_run: self.dry_run };
        let report = session_apply::run(&mut cx.ops, &request)?;
        cx.ui.show(&ApplyView::new(&report))?;
        Ok(if report.applied.conflicts.is_empty() { Exit::DONE } else { Exit::CONFLICT })
    }
}
