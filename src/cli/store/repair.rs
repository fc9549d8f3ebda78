//! `aether store repair`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt};
use crate::ops::import::ImportProgress;
use crate::ops::source_import::Watch;
use crate::ops::store_repair;
use crate::ops::store_verify::VerifyWatch;
use crate::ui::Progress;
use crate::ui::view::RepairView;

/// Mend what can be mended
///
/// Reads everything, takes what is whole out of damaged packs, imports what was lost from origins of sources that still
/// have it, and makes the index anew. Damaged packs are put aside, in `objects/damaged` of the data directory; nothing
/// that is healthy is removed, and no revision or session changes. What stays damaged is named with what it touches, and
/// the exit code is then 7. Sessions can be mounted and written meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store repair
  aether store repair --json")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let display =
            Display { progress: cx.ui.progress("Repairing"), cancel: Arc::clone(&cancel), checked: AtomicU64::new(0) };
        let watch = Watch { progress: &display, cancel: &cancel };
        let report = store_repair::run(&mut cx.ops, &display, watch)?;
        drop(display);
        cx.ui.show(&RepairView::from(&report))?;
        Ok(if report.after.is_sound() { Exit::DONE } else { Exit::DAMAGED })
    }
}

/// Progress on a terminal.
struct Display {
    progress: Progress,
    cancel: Arc<AtomicBool>,
    checked: AtomicU64,
}

impl VerifyWatch for Display {
    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn total(&self, bytes: u64) {
        self.checked.store(0, Ordering::Relaxed);
        self.progress.total(bytes);
    }

    fn checked(&self, bytes: u64) {
        self.progress.bytes(self.checked.fetch_add(bytes, Ordering::Relaxed) + bytes);
    }
}

impl ImportProgress for Display {
    fn found(&self, files: u64, _: u64) {
        self.progress.text(&format!("{files} more files found in the origin"));
    }
}
