//! The store: what it holds, and what a collection gave back.

use serde::Serialize;

use crate::ops::store_gc::GcReport;
use crate::ops::store_stats::StoreStats;
use crate::ui::{Page, Paint, View, bytes};

use super::{AppliedView, plural};

/// Sums over all packs.
#[derive(Debug, Serialize)]
pub struct StoreStatsView {
    packs: u64,
    objects: u64,
    raw_bytes: u64,
    stored_bytes: u64,
}

impl From<StoreStats> for StoreStatsView {
    fn from(stats: StoreStats) -> Self {
        let StoreStats { packs, objects, raw_bytes, stored_bytes } = stats;
        Self { packs, objects, raw_bytes, stored_bytes }
    }
}

impl View for StoreStatsView {
    fn text(&self, page: &mut Page) {
        let ratio = match self.raw_bytes {
            0 => String::new(),
            raw => format!(", {:.0} % of {}", self.stored_bytes as f64 * 100.0 / raw as f64, bytes(raw)),
        };
        page.put(Paint::Strong, &bytes(self.stored_bytes))
            .put(Paint::Plain, " on the disk")
            .put(Paint::Dim, &ratio)
            .end();
        page.put(Paint::Plain, &format!("{} in {}", plural(self.objects, "object"), plural(self.packs, "pack"))).end();
    }
}

/// What left the trash for good.
#[derive(Debug, Serialize)]
struct PurgedView {
    kind: &'static str,
    id: String,
    name: String,
}

/// What a collection did, or would do.
#[derive(Debug, Serialize)]
pub struct GcView {
    dry_run: bool,
    freed_bytes: u64,
    due: AppliedView,
    purged: Vec<PurgedView>,
    forgotten_operations: u64,
    pruned_events: u64,
    session_dirs: u64,
    session_bytes: u64,
    live_objects: u64,
    dead_objects: u64,
    packs: u64,
    deleted_packs: u64,
    moved_packs: u64,
    pardoned_packs: u64,
    damaged_packs: u64,
    deleted_bytes: u64,
    moved_bytes: u64,
    no_space: bool,
}

impl GcView {
    /// The view of what a collection did, and of what was due before it.
    #[must_use]
    pub fn new(report: &GcReport, due: AppliedView) -> Self {
        let purged = report.purged.objects.iter();
        let purged = purged
            .map(|found| PurgedView { kind: found.kind.word(), id: found.id.clone(), name: found.name.clone() })
            .collect();
        let store = &report.store;
        Self {
            dry_run: report.dry_run,
            freed_bytes: report.freed_bytes(),
            due,
            purged,
            forgotten_operations: report.purged.operations.len() as u64,
            pruned_events: report.events,
            session_dirs: report.session_dirs,
            session_bytes: report.session_bytes,
            live_objects: store.live_objects,
            dead_objects: store.dead_objects,
            packs: store.packs,
            deleted_packs: store.deleted_packs,
            moved_packs: store.moved_packs,
            pardoned_packs: store.pardoned_packs,
            damaged_packs: store.damaged_packs,
            deleted_bytes: store.deleted_bytes,
            moved_bytes: store.moved_bytes,
            no_space: store.no_space,
        }
    }
}

impl View for GcView {
    fn text(&self, page: &mut Page) {
        let verb = if self.dry_run { "would free" } else { "freed" };
        page.put(Paint::Plain, verb).put(Paint::Plain, " ").put(Paint::Strong, &bytes(self.freed_bytes)).end();
        let packs = format!(
            "{} of {} packs {}, {} of them after moving {}",
            self.deleted_packs,
            self.packs,
            if self.dry_run { "would go" } else { "are gone" },
            self.moved_packs,
            bytes(self.moved_bytes)
        );
        page.put(Paint::Dim, &packs).end();
        for line in self.due.lines(false).iter().filter(|_| self.dry_run) {
            page.put(Paint::Dim, line).end();
        }
        for found in &self.purged {
            let left = if self.dry_run { "would leave" } else { "left" };
            page.put(Paint::Dim, &format!("{} `{}` {left} the trash", found.kind, found.name)).end();
        }
        if self.pruned_events > 0 {
            let left = if self.dry_run { "would leave" } else { "left" };
            page.put(Paint::Dim, &format!("{} {left} the history", plural(self.pruned_events, "event"))).end();
        }
        if self.damaged_packs > 0 {
            let text = format!("{} packs are damaged and were left alone", self.damaged_packs);
            page.put(Paint::Warning, &text).end();
        }
        if self.no_space {
            page.put(Paint::Warning, "nothing could be moved for want of space; run it again").end();
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.freed_bytes.to_string())
    }
}
