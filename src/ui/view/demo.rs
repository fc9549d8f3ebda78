//! Steps of a demonstration.

use serde::Serialize;

use crate::ops::demo::Step;
use crate::ui::{Page, Paint, View, duration};

/// One step.
#[derive(Debug, Serialize)]
pub struct StepView {
    step: String,
    lines: Vec<String>,
    took_ns: u64,
}

impl StepView {
    /// The view of a step.
    #[must_use]
    pub fn new(step: &Step) -> Self {
        Self { step: step.title.clone(), lines: step.lines.clone(), took_ns: step.took_ns }
    }
}

impl View for StepView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Strong, &self.step).put(Paint::Dim, &format!("  {}", duration(self.took_ns))).end();
        for line in &self.lines {
            page.put(Paint::Plain, "    ").put(Paint::Plain, line).end();
        }
    }
}
