//! `aether serve`: a mount process. `aether session mount` starts it, and nobody else.

use crate::ops::session_mount;

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Serve the mount that standard input orders
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        session_mount::serve(cx.config.cache_bytes)?;
        Ok(Exit::DONE)
    }
}
