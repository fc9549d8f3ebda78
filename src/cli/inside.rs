//! `aether inside`: the process that becomes a command which sees a session where its origin is. `aether session run
//! --same-path` starts it, and nobody else.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::ops::inside::{InsideError, become_command};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Become a command that sees a mount in the place of a directory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    mount: PathBuf,
    over: PathBuf,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let error = become_command(&self.mount, &self.over, &self.command);
        cx.ui.warn(&error.to_string());
        // As env(1) has them.
        Ok(Exit(match error {
            InsideError::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 127,
            InsideError::Program { .. } => 126,
            InsideError::Namespace(_) | InsideError::Bind { .. } => 125,
        }))
    }
}
