//! `aether log`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::model::BytePath;
use crate::ops::{Error as OpsError, path_log};
use crate::ui::view::LogView;

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Show in which revisions, checkpoints and commits a path changed
///
/// The states are those that led to the current session, the newest first: the session as it is, its checkpoints and
/// commits, those of the sessions it was forked from, and the revisions of its source. Without a path, all in which
/// anything changed. A commit is compared with the one before it; what is scratch is in no commit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login log
  aether -s fix-login log index.html
  aether -s fix-login log --json -- lib")]
pub(crate) struct Args {
    /// A path of the tree
    path: Option<OsString>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let path = self.path.unwrap_or_default();
        let bad = |why| OpsError::BadPath { path: (&path).into(), why };
        let path = BytePath::parse(path.as_bytes()).map_err(bad)?;
        let entries = path_log::run(&mut cx.ops, None, &path)?;
        cx.ui.list(&entries.iter().map(LogView::new).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
