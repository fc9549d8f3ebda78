//! An import that is cancelled leaves nothing behind but stored chunks, which the next one finds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aether::ops::import::{ImportError, ImportOptions, ImportProgress, import_dir};

use super::Bench;
use super::compare::assert_same;

/// Cancels after so many files.
struct CancelAfter<'a> {
    files: AtomicU64,
    limit: u64,
    cancel: &'a AtomicBool,
}

impl ImportProgress for CancelAfter<'_> {
    fn stored(&self, files: u64, _bytes: u64) {
        if self.files.fetch_add(files, Ordering::Relaxed) + files >= self.limit {
            self.cancel.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_cancelled_import_is_taken_up_where_it_was() {
    let bench = Bench::new();
    for index in 0..400u32 {
        bench.write(&format!("d{}/f{index}", index % 20), format!("{index}").repeat(500));
    }
    let cancel = AtomicBool::new(false);
    let progress = CancelAfter { files: AtomicU64::new(0), limit: 200, cancel: &cancel };
    let options = ImportOptions::default();
    let cancelled = import_dir(&bench.store.hold().unwrap(), &bench.origin(), None, &options, &progress, &cancel);
    assert!(matches!(cancelled, Err(ImportError::Interrupted)));

    let imported = bench.import();
    assert_same(&bench.store, imported.root, &bench.origin());
    assert!(imported.stats.written.deduplicated >= 200, "{:?}", imported.stats.written);
}

#[test]
fn an_import_cancelled_from_the_start_does_nothing() {
    let bench = Bench::new();
    bench.write("file", "x");
    let cancel = AtomicBool::new(true);
    let cancelled =
        import_dir(&bench.store.hold().unwrap(), &bench.origin(), None, &ImportOptions::default(), &(), &cancel);
    assert!(matches!(cancelled, Err(ImportError::Interrupted)));
    assert_eq!(bench.store.stats().unwrap().objects, 0);
}

#[derive(Default)]
struct Tally {
    found: AtomicU64,
    stored: AtomicU64,
    to_read: AtomicU64,
}

impl ImportProgress for Tally {
    fn found(&self, files: u64, _bytes: u64) {
        self.found.fetch_add(files, Ordering::Relaxed);
    }

    fn walked(&self, files: u64, _bytes: u64) {
        self.to_read.store(files, Ordering::Relaxed);
    }

    fn stored(&self, files: u64, _bytes: u64) {
        self.stored.fetch_add(files, Ordering::Relaxed);
    }
}

#[test]
fn progress_ends_at_the_totals() {
    let bench = Bench::new();
    for index in 0..30 {
        bench.write(&format!("f{index}"), "x");
    }
    let tally = Tally::default();
    import_dir(
        &bench.store.hold().unwrap(),
        &bench.origin(),
        None,
        &ImportOptions::default(),
        &tally,
        &AtomicBool::new(false),
    )
    .unwrap();
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!((read(&tally.found), read(&tally.to_read), read(&tally.stored)), (30, 30, 30));
}
