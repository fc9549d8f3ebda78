//! `aether cache set`

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::ConditionArgs;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::cache::{self, CacheCondition, Request};
use crate::ops::coordination::Payload;
use crate::ops::time;
use crate::ui::view::CacheSetView;

/// Set an entry
///
/// The value is bytes, up to 16 MiB: an argument, a file, or standard input. Of several commands that name the same
/// version exactly one succeeds; the others exit with 4 and say which version there is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login cache set build/id 4711
  aether -s fix-login cache set owner ann --if-absent --ttl 10m
  date | aether -s fix-login cache set built")]
pub(crate) struct Args {
    /// The key
    key: String,
    /// The value; without it, or `--file`, it is read from standard input
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    value: Option<OsString>,
    /// Read the value from a file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    file: Option<PathBuf>,
    #[command(flatten)]
    condition: ConditionArgs,
    /// Only if it is not there
    #[arg(long, conflicts_with = "if_version")]
    if_absent: bool,
    /// Have it vanish after this time, such as `90s` or `2h`
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let value = match (self.value, self.file) {
            (Some(value), _) => Payload::Bytes(value.into_vec()),
            (None, Some(file)) if file.as_os_str() != "-" => Payload::File(file),
            (None, _) => Payload::Stdin,
        };
        let condition = if self.if_absent { CacheCondition::Version(0) } else { self.condition.condition() };
        let ttl_ns = self.ttl.as_deref().map(time::duration).transpose()?;
        let set = cache::set(&mut cx.ops, Request { session: None, key: self.key, value, condition, ttl_ns })?;
        cx.ui.show(&CacheSetView::new(&set))?;
        Ok(Exit::DONE)
    }
}
