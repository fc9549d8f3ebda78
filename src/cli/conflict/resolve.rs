//! `aether conflict resolve`

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::Error as OpsError;
use crate::ops::merge::{self, How};
use crate::ui::view::ResolvedView;

/// Say how conflicts are to be resolved
///
/// Without a choice, the file is taken as it is in the session now: that is for after editing it. The session is the
/// current one, or that of `-s`. After the last conflict it has the status that it had before the merge.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login conflict resolve lib/app.js --theirs
  aether -s fix-login conflict resolve lib/app.js --file merged.js
  aether -s fix-login conflict resolve --all --ours")]
pub(crate) struct Args {
    /// The paths, as `aether conflict list` has them
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "PATH")]
    paths: Vec<OsString>,
    /// All that are left
    #[arg(long)]
    all: bool,
    /// As the session had it before the merge
    #[arg(long, group = "how")]
    ours: bool,
    /// As what was merged has it
    #[arg(long, group = "how")]
    theirs: bool,
    /// The lines of both, those of the session first
    #[arg(long, group = "how")]
    union: bool,
    /// As this file has it; `-` is standard input
    #[arg(long, group = "how", value_name = "FILE", conflicts_with = "all")]
    file: Option<PathBuf>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let how = match (self.ours, self.theirs, self.union, &self.file) {
            (true, ..) => How::Ours,
            (_, true, ..) => How::Theirs,
            (_, _, true, _) => How::Union,
            (.., Some(file)) => How::File(read(file)?),
            _ => How::Edited,
        };
        let paths = self.paths.iter().map(super::path).collect::<Result<Vec<_>, OpsError>>()?;
        let resolved = merge::resolve(&mut cx.ops, None, &paths, &how)?;
        cx.ui.show(&ResolvedView::new(&resolved, false))?;
        Ok(Exit::DONE)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, OpsError> {
    let bytes = match file.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => fs::read(file),
    };
    bytes.map_err(|source| OpsError::Io { path: file.to_owned(), source })
}
