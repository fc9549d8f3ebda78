//! `aether store backup`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt};
use crate::ops::store_backup::{self, BackupWatch};
use crate::ui::Progress;
use crate::ui::view::BackupView;

/// Make a second data directory with everything, or bring one up to date
///
/// Sessions can be mounted and written meanwhile. Each is in the backup as it was when its turn came, on a stored state
/// of its own, without live files. Only what came since the last time is copied. The backup is used by pointing
/// AETHER_HOME at it; once something was changed in it, it is a data directory of its own, and no backup is written into
/// it any more. No content is ever removed from it: `aether store gc` in it does that. Hooks of sources are in it and hold
/// there, too; those for all sessions are with the config file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store backup /mnt/disk/aether
  AETHER_HOME=/mnt/disk/aether aether session list")]
pub(crate) struct Args {
    /// Where: an empty or missing directory, or a backup
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
    /// Link files on the same file system and do not copy them: quick and without a second copy of anything
    #[arg(long)]
    link: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let display = Display { progress: cx.ui.progress("Copying"), cancel };
        let report = store_backup::run(&mut cx.ops, &self.dir, self.link, &display)?;
        drop(display);
        for (name, why) in &report.failed {
            cx.ui.warn(&format!("the live files of session {name} are not in the backup: {why}"));
        }
        cx.ui.show(&BackupView::from(&report))?;
        Ok(if report.failed.is_empty() { Exit::DONE } else { Exit::FAILED })
    }
}

/// Progress on a terminal.
struct Display {
    progress: Progress,
    cancel: Arc<AtomicBool>,
}

impl BackupWatch for Display {
    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn total(&self, bytes: u64) {
        self.progress.total(bytes);
    }

    fn copied(&self, bytes: u64) {
        self.progress.bytes(bytes);
    }
}
