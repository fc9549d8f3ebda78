//! `aether cache export`

use super::Which;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{Error as OpsError, cache};
use crate::ui::view::CacheValueView;

/// Print entries with their values, as lines of JSON, all of one moment
///
/// A value that is text is in `value`, another one in `value_base64`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login cache export > cache.jsonl
  aether -s fix-login cache export --prefix build/")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let ui = cx.ui.clone();
        let mut unprinted = None;
        let result = cache::export(&mut cx.ops, None, &self.which.filter(None), |entry, value| {
            ui.json_line(&CacheValueView::new(entry, value)).map_err(|error| {
                unprinted = Some(error);
                OpsError::Interrupted
            })
        });
        match unprinted {
            Some(error) => Err(error.into()),
            None => Ok(result.map(|()| Exit::DONE)?),
        }
    }
}
