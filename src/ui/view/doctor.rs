//! What the checks found.

use serde::Serialize;

use crate::ops::doctor::{Finding, Level};
use crate::ui::{Page, Paint, View};

/// What one check found.
#[derive(Debug, Serialize)]
pub struct FindingView {
    check: &'static str,
    level: &'static str,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        let level = match finding.level {
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Failed => "failed",
        };
        Self { check: finding.check, level, found: finding.found.clone(), remedy: finding.remedy.clone() }
    }
}

impl View for FindingView {
    fn text(&self, page: &mut Page) {
        let paint = match self.level {
            "good" => Paint::Good,
            "warning" => Paint::Warning,
            _ => Paint::Error,
        };
        page.put(paint, &format!("{:<8}", self.level)).put(Paint::Plain, &self.found).end();
        if let Some(remedy) = &self.remedy {
            page.put(Paint::Hint, "        remedy:").put(Paint::Plain, " ").put(Paint::Plain, remedy).end();
        }
    }
}
