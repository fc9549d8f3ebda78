//! `aether inside`: the process that becomes a command which sees a session where its origin is, or under an overlay.
//! `aether session run --same-path` and `--accelerate` start it, and `aether doctor`, and nobody else.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::ops::accelerate::UpperDir;
use crate::ops::inside::{InsideError, Scene, become_command, try_overlay};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Become a command that sees a mount in the place of a directory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only try to mount an overlay
    #[arg(long = "try")]
    only_try: bool,
    #[arg(long)]
    changes: Option<PathBuf>,
    #[arg(required_unless_present = "only_try")]
    mount: Option<PathBuf>,
    #[arg(required_unless_present = "only_try")]
    over: Option<PathBuf>,
    #[arg(last = true, required_unless_present = "only_try")]
    command: Vec<OsString>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (Some(mount), Some(over)) = (self.mount, self.over) else {
            return Ok(match try_overlay() {
                Ok(()) => Exit::DONE,
                Err(error) => {
                    cx.ui.warn(&error.to_string());
                    Exit::FAILED
                }
            });
        };
        let changes = self.changes.map(UpperDir::at);
        let tag = cx.ops.session.clone().unwrap_or_default();
        let scene = Scene { mount: &mount, over: &over, changes: changes.as_ref().map(|changes| (&*tag, changes)) };
        let error = become_command(scene, &self.command);
        match (&error, &changes) {
            // Whoever started this runs the command in another way.
            (InsideError::Namespace(_) | InsideError::Overlay(_), Some(changes)) => {
                let path = changes.path().to_owned();
                let noted = changes.note_failure(&error.to_string());
                noted.map_err(|source| crate::ops::Error::Io { path, source })?;
            }
            _ => cx.ui.warn(&error.to_string()),
        }
        // As env(1) has them.
        Ok(Exit(match error {
            InsideError::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 127,
            InsideError::Program { .. } => 126,
            InsideError::Namespace(_) | InsideError::Bind { .. } | InsideError::Overlay(_) => 125,
        }))
    }
}
