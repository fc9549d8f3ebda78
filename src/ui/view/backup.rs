//! What a backup did.

use serde::Serialize;

use crate::ops::store_backup::BackupReport;
use crate::ui::{Page, Paint, View, bytes};

use super::{path_hex, path_text, plural};

/// What a backup did.
#[derive(Debug, Serialize)]
pub struct BackupView {
    dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir_hex: Option<String>,
    sessions: u64,
    copied_packs: u64,
    copied_bytes: u64,
    present_packs: u64,
    failed_sessions: Vec<FailedView>,
}

#[derive(Debug, Serialize)]
struct FailedView {
    name: String,
    why: String,
}

impl From<&BackupReport> for BackupView {
    fn from(report: &BackupReport) -> Self {
        let failed = report.failed.iter().map(|(name, why)| FailedView { name: name.clone(), why: why.clone() });
        Self {
            dir: path_text(&report.dir),
            dir_hex: path_hex(&report.dir),
            sessions: report.sessions,
            copied_packs: report.copied_packs,
            copied_bytes: report.copied_bytes,
            present_packs: report.present_packs,
            failed_sessions: failed.collect(),
        }
    }
}

impl View for BackupView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "copied ").put(Paint::Strong, &bytes(self.copied_bytes));
        page.put(Paint::Plain, " to ").put(Paint::Plain, &self.dir).end();
        let (packs, sessions) = (plural(self.copied_packs, "pack"), plural(self.sessions, "session"));
        let there = if self.present_packs == 1 { "was" } else { "were" };
        let text = format!("{packs}, {} {there} there; {sessions}", self.present_packs);
        page.put(Paint::Dim, &text).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.dir.clone())
    }
}
