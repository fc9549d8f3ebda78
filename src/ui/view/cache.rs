//! Cache entries.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::ops::Session;
use crate::ops::cache::{CacheEntry, CacheStats, Imported, Removed, Set};
use crate::ui::{Align, Column, Page, Paint, Row, View, bytes, rfc3339};

/// An entry without its value.
#[derive(Debug, Serialize)]
pub struct CacheEntryView {
    key: String,
    version: u64,
    size_bytes: u64,
    updated: String,
    actor: String,
    expires: Option<String>,
    #[serde(skip)]
    times: (i64, Option<i64>),
}

impl CacheEntryView {
    /// The view of an entry.
    #[must_use]
    pub fn new(entry: &CacheEntry) -> Self {
        Self {
            key: entry.key.clone(),
            version: entry.version,
            size_bytes: entry.size_bytes,
            updated: rfc3339(entry.updated_ns),
            actor: entry.actor.clone(),
            expires: entry.expires_ns.map(rfc3339),
            times: (entry.updated_ns, entry.expires_ns),
        }
    }
}

impl Row for CacheEntryView {
    const COLUMNS: &'static [Column] = &[
        Column("KEY", Align::Left),
        Column("VERSION", Align::Right),
        Column("SIZE", Align::Right),
        Column("SET", Align::Left),
        Column("BY", Align::Left),
        Column("EXPIRES", Align::Left),
    ];
    const NONE: &'static str = "no cache entries";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.key.clone()),
            (Paint::Plain, self.version.to_string()),
            (Paint::Plain, bytes(self.size_bytes)),
            (Paint::Plain, page.ago(self.times.0)),
            (Paint::Plain, self.actor.clone()),
            (Paint::Dim, self.times.1.map(|time| page.expires(time)).unwrap_or_default()),
        ]
    }

    fn brief(&self) -> String {
        self.key.clone()
    }
}

/// An entry with its value.
#[derive(Debug, Serialize)]
pub struct CacheValueView {
    #[serde(flatten)]
    entry: CacheEntryView,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl CacheValueView {
    /// The view of an entry with its value.
    #[must_use]
    pub fn new(entry: &CacheEntry, value: &[u8]) -> Self {
        let text = std::str::from_utf8(value).ok();
        Self {
            entry: CacheEntryView::new(entry),
            value: text.map(str::to_owned),
            value_base64: text.is_none().then(|| BASE64_STANDARD.encode(value)),
        }
    }
}

impl View for CacheValueView {
    fn text(&self, page: &mut Page) {
        match (&self.value, &self.value_base64) {
            (Some(text), _) => text.lines().for_each(|line| page.line(line)),
            (None, encoded) => page.line(&format!("(not text; in base 64) {}", encoded.as_deref().unwrap_or_default())),
        }
    }
}

/// An entry that was set.
#[derive(Debug, Serialize)]
pub struct CacheSetView {
    #[serde(flatten)]
    entry: CacheEntryView,
    was_version: u64,
}

impl CacheSetView {
    /// The view of what was set.
    #[must_use]
    pub fn new(set: &Set) -> Self {
        Self { entry: CacheEntryView::new(&set.entry), was_version: set.was }
    }
}

impl View for CacheSetView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "Set ").put(Paint::Strong, &self.entry.key);
        page.put(Paint::Dim, &format!(" (version {}, {})", self.entry.version, bytes(self.entry.size_bytes))).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.entry.version.to_string())
    }
}

/// Entries that were removed.
#[derive(Debug, Serialize)]
pub struct CacheRemovedView {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    entries: u64,
    was_version: Option<u64>,
}

impl CacheRemovedView {
    /// The view of what was removed.
    #[must_use]
    pub fn new(removed: &Removed) -> Self {
        let is_one = removed.version.is_some();
        Self {
            key: is_one.then(|| removed.key.clone()),
            prefix: (!is_one).then(|| removed.key.clone()),
            entries: removed.entries,
            was_version: removed.version,
        }
    }
}

impl View for CacheRemovedView {
    fn text(&self, page: &mut Page) {
        match &self.key {
            Some(key) => page.put(Paint::Plain, "Removed ").put(Paint::Strong, key).end(),
            None => page.line(&format!("Removed {} entries", self.entries)),
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.entries.to_string())
    }
}

/// What was imported.
#[derive(Debug, Serialize)]
pub struct CacheImportedView {
    entries: usize,
    size_bytes: usize,
}

impl CacheImportedView {
    /// The view of an import.
    #[must_use]
    pub fn new(imported: Imported) -> Self {
        Self { entries: imported.entries, size_bytes: imported.size_bytes }
    }
}

impl View for CacheImportedView {
    fn text(&self, page: &mut Page) {
        page.line(&format!("Set {} entries with {}", self.entries, bytes(self.size_bytes as u64)));
    }

    fn brief(&self) -> Option<String> {
        Some(self.entries.to_string())
    }
}

/// How much the entries of a session hold.
#[derive(Debug, Serialize)]
pub struct CacheStatsView {
    session: String,
    session_name: String,
    entries: u64,
    size_bytes: u64,
    stored_bytes: u64,
    expiring: u64,
}

impl CacheStatsView {
    /// The view of a session's entries.
    #[must_use]
    pub fn new(session: &Session, stats: &CacheStats) -> Self {
        Self {
            session: session.id.clone(),
            session_name: session.name.clone(),
            entries: stats.entries,
            size_bytes: stats.size_bytes,
            stored_bytes: stats.stored_bytes,
            expiring: stats.expiring,
        }
    }
}

impl View for CacheStatsView {
    fn text(&self, page: &mut Page) {
        page.field("session", &self.session_name);
        page.field("entries", &self.entries.to_string());
        page.field("size", &bytes(self.size_bytes));
        page.field("stored", &format!("{} (equal values once)", bytes(self.stored_bytes)));
        page.field("expiring", &self.expiring.to_string());
    }
}
