//! `aether cache import`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{self, cache};
use crate::ui::view::CacheImportedView;

/// Set entries from lines of JSON: all, or none
///
/// Each line is an object with `key`, and `value` (text) or `value_base64`; `expires`, a time, if the entry is to vanish; and
/// `if_version`, if the entry has to have that version (0: not be there). Whatever else there is, as in what `export`
/// prints, is passed over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echo '{\"key\":\"build/id\",\"value\":\"4711\"}' | aether -s fix-login cache import
  aether -s fix-login cache export | aether -s login-bug cache import")]
pub(crate) struct Args {
    /// The file with the lines; without it, or as `-`, standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let from: Box<dyn BufRead> = match self.file.filter(|file| file.as_os_str() != "-") {
            None => Box::new(std::io::stdin().lock()),
            Some(path) => {
                let file = File::open(&path).map_err(|source| ops::Error::Io { path, source })?;
                Box::new(BufReader::new(file))
            }
        };
        let imported = cache::import(&mut cx.ops, None, from)?;
        cx.ui.show(&CacheImportedView::new(imported))?;
        Ok(Exit::DONE)
    }
}
