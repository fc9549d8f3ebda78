//! `aether keep`: the keeper of a mount. A mount process starts it, and nobody else.

use crate::ops::session_mount;

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Hold the connection of a mount while the process that serves it is replaced
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Without a look at the configuration and the rest of the command line: a keeper has to be small, and there soon.
pub(super) fn run() -> Exit {
    // What goes wrong is in the log of the mount.
    if session_mount::keep().is_ok() { Exit::DONE } else { Exit::FAILED }
}

impl Run for Args {
    fn run(self, _cx: &mut Cx) -> Result<Exit, Error> {
        session_mount::keep()?;
        Ok(Exit::DONE)
    }
}
