//! `aether cat`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::ops::{Error as OpsError, tree_read};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Print a file of any state, without a mount
///
/// The state is a session as it is, a checkpoint or a revision; `@` is the current session. The bytes are printed as they
/// are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether cat fix-login@1:index.html
  aether cat web@1:index.html > before.html
  aether -s fix-login cat @:index.html")]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "STATE:PATH")]
    file: OsString,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let ui = cx.ui.clone();
        let mut unprinted = None;
        let result = tree_read::cat(&mut cx.ops, self.file.as_bytes(), &mut |bytes| match ui.raw(bytes) {
            Ok(()) => Ok(()),
            Err(error) => {
                unprinted = Some(error);
                Err(OpsError::Interrupted)
            }
        });
        match unprinted {
            Some(error) => Err(error.into()),
            None => Ok(result.map(|()| Exit::DONE)?),
        }
    }
}
