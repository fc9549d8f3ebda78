//! `aether session unmount`, and `aether unmount`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::session_unmount::{self, Way};
use crate::ui::view::UnmountedView;

/// Unmount a session
///
/// Returns once everything is on the disk. A mount that is in use is not taken away; the processes that use it are
/// named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session mount fix-login && aether session unmount fix-login
  aether session mount fix-login ~/work && aether session unmount ~/work
  aether session unmount --all")]
pub(crate) struct Args {
    /// The session, a mounted revision, or a mount point (with a slash); the current session if it is left out
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    mount: Option<OsString>,
    /// Unmount everything that is mounted from this data directory
    #[arg(long, conflicts_with = "mount")]
    all: bool,
    /// Take it out of the tree at once; those who use it are served until they are done
    #[arg(long)]
    lazy: bool,
    /// Kill the process that serves it: for a mount that hangs
    #[arg(long, conflicts_with = "lazy")]
    force: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let way = match (self.lazy, self.force) {
            (_, true) => Way::Force,
            (true, _) => Way::Lazy,
            _ => Way::Plain,
        };
        // Our own working directory must not be what keeps the mount busy.
        let _stays_if_it_must = std::env::set_current_dir("/");
        let places = match self.all {
            true => session_unmount::run_all(&mut cx.ops, way)?,
            false => session_unmount::run(&mut cx.ops, self.mount.as_deref(), way)?,
        };
        for place in places {
            cx.ui.show(&UnmountedView::new(&place))?;
        }
        Ok(Exit::DONE)
    }
}
