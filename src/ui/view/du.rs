//! Where the disk space goes.

use serde::Serialize;

use crate::ops::du::{DiskUse, Holder};
use crate::ui::{Align, Column, Page, Paint, Table, View, bytes};

/// The width of the longest bar, in characters.
const BAR: u64 = 24;

/// What everybody needs, and the sums.
#[derive(Debug, Serialize)]
pub struct DiskUseView {
    holders: Vec<HolderView>,
    own_bytes: u64,
    shared_bytes: u64,
    kept_bytes: u64,
    unused_bytes: u64,
    frame_bytes: u64,
    pack_bytes: u64,
    live_bytes: u64,
    other_bytes: u64,
    total_bytes: u64,
    missing_objects: u64,
    #[serde(skip)]
    bars: bool,
}

#[derive(Debug, Serialize)]
struct HolderView {
    kind: String,
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    deleted: bool,
    own_bytes: u64,
    shared_bytes: u64,
    live_bytes: u64,
    frees_bytes: u64,
}

impl HolderView {
    fn of(holder: &Holder) -> Self {
        Self {
            kind: holder.kind.clone(),
            id: holder.id.clone(),
            name: holder.name.clone(),
            number: holder.number,
            deleted: holder.is_deleted,
            own_bytes: holder.own_bytes,
            shared_bytes: holder.shared_bytes,
            live_bytes: holder.live_bytes,
            frees_bytes: holder.frees_bytes(),
        }
    }

    fn shown(&self) -> String {
        match self.number {
            Some(number) => format!("{}@{number}", self.name),
            None => self.name.clone(),
        }
    }
}

impl DiskUseView {
    /// The view; with `bars`, how much deleting each would free is drawn.
    #[must_use]
    pub fn new(found: &DiskUse, bars: bool) -> Self {
        Self {
            holders: found.holders.iter().map(HolderView::of).collect(),
            own_bytes: found.own_bytes,
            shared_bytes: found.shared_bytes,
            kept_bytes: found.kept_bytes,
            unused_bytes: found.unused_bytes,
            frame_bytes: found.frame_bytes,
            pack_bytes: found.pack_bytes(),
            live_bytes: found.live_bytes,
            other_bytes: found.other_bytes,
            total_bytes: found.total_bytes(),
            missing_objects: found.missing,
            bars,
        }
    }

    fn table(&self, page: &mut Page) {
        static COLUMNS: &[Column] = &[
            Column("KIND", Align::Left),
            Column("NAME", Align::Left),
            Column("OWN", Align::Right),
            Column("SHARED", Align::Right),
            Column("LIVE", Align::Right),
            Column("FREES", Align::Right),
            Column("", Align::Left),
        ];
        let most = self.holders.iter().map(|holder| holder.frees_bytes).max().unwrap_or(0);
        let mut table = Table::new(COLUMNS);
        for holder in &self.holders {
            let paint = if holder.deleted { Paint::Dim } else { Paint::Plain };
            let kind = if holder.deleted { format!("{} (trash)", holder.kind) } else { holder.kind.clone() };
            let live = if holder.live_bytes == 0 { String::new() } else { bytes(holder.live_bytes) };
            let bar = if self.bars { bar(holder.frees_bytes, most) } else { String::new() };
            table.push(vec![
                (Paint::Dim, kind),
                (paint, holder.shown()),
                (Paint::Plain, bytes(holder.own_bytes)),
                (Paint::Dim, bytes(holder.shared_bytes)),
                (Paint::Plain, live),
                (Paint::Strong, bytes(holder.frees_bytes)),
                (Paint::Good, bar),
            ]);
        }
        table.render(page);
    }
}

/// A bar as long as its part of the most, in eighths of a character.
fn bar(part: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (u128::from(part) * u128::from(BAR) * 8 / u128::from(most.max(1))) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

impl View for DiskUseView {
    fn text(&self, page: &mut Page) {
        if !self.holders.is_empty() {
            self.table(page);
            page.line("");
        }
        let sums = [
            ("own", self.own_bytes),
            ("shared", self.shared_bytes),
            ("kept for undo", self.kept_bytes),
            ("unused", self.unused_bytes),
            ("live files", self.live_bytes),
            ("other", self.frame_bytes + self.other_bytes),
        ];
        let sums: Vec<String> = sums.iter().map(|(what, count)| format!("{} {what}", bytes(*count))).collect();
        page.put(Paint::Strong, &bytes(self.total_bytes)).put(Paint::Plain, " in all");
        page.put(Paint::Dim, &format!(": {}", sums.join(", "))).end();
        if self.missing_objects > 0 {
            let text = format!("{} objects are missing or damaged: see `aether store verify`", self.missing_objects);
            page.put(Paint::Warning, &text).end();
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.total_bytes.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        assert_eq!(bar(0, 0), "");
        assert_eq!(bar(5, 5), "█".repeat(24));
        assert_eq!(bar(1, 2), "█".repeat(12));
        assert_eq!(bar(1, 192), "▏");
        assert_eq!(bar(u64::MAX, u64::MAX), "█".repeat(24));
    }
}
