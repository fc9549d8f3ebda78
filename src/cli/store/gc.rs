//! `aether store gc`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::session::expire::{apply_retention, preview_retention};
use crate::cli::{Run, interrupt};
use crate::ops::store_gc::Watch;
use crate::ops::store_gc::{self, GcOptions};
use crate::ui::view::GcView;
use crate::ui::{Progress, Ui};

/// Give back the space of what nobody refers to
///
/// First, sessions whose time is over are archived or go to the trash, as by `session expire --due`. What was deleted
/// longer ago than the setting `retention.trash_days` says leaves the trash for good, and commands from before then
/// cannot be undone any more; the history goes from before `retention.events_days`, unless that is 0. Then everything
/// goes that no source, session or checkpoint refers to. Sessions can be mounted and written meanwhile, and imports run;
/// killing it does no harm.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store gc --dry-run
  aether store gc
  aether store gc --trash-days 0")]
pub(crate) struct Args {
    /// Only say what would be freed
    #[arg(long)]
    dry_run: bool,
    /// Keep what was deleted for this many days, whatever `retention.trash_days` says
    #[arg(long, value_name = "DAYS")]
    trash_days: Option<u64>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let applied = if self.dry_run { preview_retention(cx)? } else { apply_retention(cx)? };
        if !self.dry_run {
            applied.lines(true).iter().for_each(|line| cx.ui.note(line));
        }
        let display = Display::new(&cx.ui, cancel);
        let options = GcOptions {
            dry_run: self.dry_run,
            live_percent: cx.config.gc_live_percent,
            trash_days: self.trash_days.unwrap_or(cx.config.trash_days),
            events_days: cx.config.retention.events_days,
        };
        let report = store_gc::run(&mut cx.ops, &options, &display)?;
        drop(display);
        cx.ui.show(&GcView::new(&report, applied))?;
        Ok(Exit::DONE)
    }
}

/// Progress on a terminal.
struct Display {
    ui: Ui,
    progress: Progress,
    cancel: Arc<AtomicBool>,
    moved: AtomicU64,
}

impl Display {
    fn new(ui: &Ui, cancel: Arc<AtomicBool>) -> Self {
        Self { ui: ui.clone(), progress: ui.progress("Collecting"), cancel, moved: AtomicU64::new(0) }
    }
}

impl Watch for Display {
    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn marked(&self, objects: u64) {
        self.progress.text(&format!("{objects} objects in use"));
    }

    fn moving(&self, bytes: u64) {
        if bytes > 0 {
            self.progress.total(bytes);
        }
    }

    fn moved(&self, bytes: u64) {
        self.progress.bytes(self.moved.fetch_add(bytes, Ordering::Relaxed) + bytes);
    }

    fn waiting(&self) {
        self.ui.note("waiting for commands that are storing something");
    }
}
