//! `aether lock acquire`

use std::ffi::OsString;
use std::time::Duration;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::lock::{self, Request};
use crate::ops::time;
use crate::ui::view::{LockAction, LockView};

/// Lock a path, or all that match a pattern
///
/// Prints the token that renews and releases it. What is below a path is locked with it. In a pattern `*` stands for any
/// characters but a slash, `**` for any directories, `?` for one character, `[a-z]` for one of a set. Refused, with exit code
/// 5, while another lock covers any path that this one would, unless `--wait` says to wait for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login lock acquire lib/app.js --ttl 30m
  aether -s fix-login lock acquire 'docs/**/*.md' -m 'a new structure'
  aether -s fix-login lock acquire index.html --wait 5s")]
pub(crate) struct Args {
    /// The path, from the root of the tree, or in the session's mount from the working directory; or a pattern
    #[arg(value_name = "PATH|GLOB")]
    pattern: OsString,
    /// It is a path, whatever characters it has
    #[arg(long)]
    literal: bool,
    /// For how long, if it is not renewed
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    ttl: String,
    /// Wait for those who hold what is in the way; for so long, else for ever. If the time is over, the exit code is 6
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "")]
    wait: Option<String>,
    /// What for
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = Request {
            session: None,
            pattern: self.pattern,
            is_literal: self.literal,
            ttl_ns: time::duration(&self.ttl)?,
            message: self.message,
        };
        let lock = match self.wait.as_deref() {
            None => lock::acquire(&mut cx.ops, &request)?,
            Some(limit) => {
                let limit = (!limit.is_empty()).then(|| time::duration(limit)).transpose()?;
                let limit = limit.map(|nanos| Duration::from_nanos(nanos.unsigned_abs()));
                lock::acquire_within(&mut cx.ops, &request, limit)?
            }
        };
        cx.ui.show(&LockView::new(&lock, LockAction::Acquired))?;
        Ok(Exit::DONE)
    }
}
