//! How a failed command says so: one sentence, then hints.

use serde::Serialize;

use super::{Page, Paint};

/// Why a command failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// One sentence without a full stop: what failed, on what, and why.
    pub error: String,
    /// A stable word for programs.
    pub code: String,
    /// What belongs to the sentence, a line each: the files it speaks of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What helps.
    pub hints: Vec<String>,
    /// The exit code that goes with it.
    pub exit_code: u8,
}

impl Failure {
    /// The text for people.
    pub(super) fn text(&self, mut page: Page) -> String {
        page.put(Paint::Error, "error:").put(Paint::Plain, " ").put(Paint::Plain, &self.error).end();
        for line in &self.details {
            page.put(Paint::Plain, "  ").put(Paint::Plain, line).end();
        }
        for hint in &self.hints {
            page.put(Paint::Hint, "hint:").put(Paint::Plain, " ").put(Paint::Plain, hint).end();
        }
        page.finish()
    }
}
