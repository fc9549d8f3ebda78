//! What an import shows while it runs, and what it says when it is done.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::exit::Error;
use crate::ops::import::ImportProgress;
use crate::ops::source_import::SourceImport;
use crate::ui::view::{SourceAction, SourceView, plural};
use crate::ui::{Progress, Ui};

/// Progress of an import on a terminal.
pub(crate) struct Display {
    progress: Progress,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Display {
    pub(crate) fn new(ui: &Ui, what: &str) -> Self {
        Self { progress: ui.progress(what), files: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    fn add(&self, files: u64, bytes: u64) -> (u64, u64) {
        let files = self.files.fetch_add(files, Ordering::Relaxed) + files;
        (files, self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes)
    }
}

impl ImportProgress for Display {
    fn found(&self, files: u64, bytes: u64) {
        let (files, bytes) = self.add(files, bytes);
        self.progress.count(files, bytes);
    }

    fn walked(&self, _: u64, bytes: u64) {
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.progress.total(bytes);
    }

    fn stored(&self, files: u64, bytes: u64) {
        let (files, bytes) = self.add(files, bytes);
        self.progress.done(files, bytes);
    }
}

/// Shows what came of it.
pub(super) fn report(ui: &Ui, import: &SourceImport, action: SourceAction) -> Result<(), Error> {
    for line in &import.left_out {
        ui.warn(&format!("left out {line}"));
    }
    ui.detail(&format!("{} read", plural(import.files_read, "file")));
    Ok(ui.show(&SourceView::new(&import.info, action))?)
}
