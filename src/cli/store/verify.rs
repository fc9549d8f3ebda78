//! `aether store verify`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt};
use crate::ops::store_verify::{self, VerifyOptions, VerifyWatch};
use crate::ui::Progress;
use crate::ui::view::VerifyView;

/// Check everything that is stored, and say what damage touches
///
/// Looks for everything that sources, sessions and checkpoints refer to, and reads all that trees consist of; with
/// `--read-data` all content, too, also what mounted sessions have written and nobody has stored yet. The exit code is 7 when something is damaged, and each damaged object comes with what
/// it touches. Nothing is changed. Sessions can be mounted and written meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether store verify
  aether store verify --read-data
  aether store verify --sample 5%")]
pub(crate) struct Args {
    /// Also read all content
    #[arg(long)]
    read_data: bool,
    /// Read so many per cent of the content, others each time
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    sample: Option<u8>,
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|number| *number <= 100);
    number.ok_or_else(|| "not a number from 0% to 100%".to_owned())
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let display = Display { progress: cx.ui.progress("Checking"), cancel, checked: AtomicU64::new(0) };
        let options = VerifyOptions {
            read_data: self.read_data || self.sample.is_some(),
            sample_percent: self.sample.unwrap_or(100),
        };
        let report = store_verify::run(&mut cx.ops, &options, &display)?;
        drop(display);
        cx.ui.show(&VerifyView::from(&report))?;
        Ok(if report.is_sound() { Exit::DONE } else { Exit::DAMAGED })
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
        self.progress.total(bytes);
    }

    fn checked(&self, bytes: u64) {
        self.progress.bytes(self.checked.fetch_add(bytes, Ordering::Relaxed) + bytes);
    }
}
