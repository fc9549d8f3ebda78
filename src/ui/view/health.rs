//! Health.

use serde::Serialize;

use crate::ops::health::Shown;
use crate::ops::{Health, Session};
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

/// How many tests there were.
#[derive(Debug, Serialize)]
struct CountsView {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    duration_ms: u64,
}

/// A result.
#[derive(Debug, Serialize)]
pub struct HealthRow {
    number: i64,
    health: &'static str,
    content: String,
    reported: String,
    actor: String,
    message: String,
    command: Option<String>,
    exit_code: Option<i64>,
    counts: Option<CountsView>,
    failed: Vec<String>,
    #[serde(skip)]
    time_ns: i64,
}

impl HealthRow {
    /// The view of a result.
    #[must_use]
    pub fn new(health: &Health) -> Self {
        let result = &health.result;
        Self {
            number: health.number,
            health: if result.is_passing { "passing" } else { "failing" },
            content: result.content.to_hex(),
            reported: rfc3339(health.time_ns),
            actor: health.actor.clone(),
            message: result.message.clone(),
            command: result.command.clone(),
            exit_code: result.exit_code,
            counts: result.counts.map(|counts| CountsView {
                tests: counts.tests,
                failures: counts.failures,
                errors: counts.errors,
                skipped: counts.skipped,
                duration_ms: counts.duration_ns / 1_000_000,
            }),
            failed: result.failed.clone(),
            time_ns: health.time_ns,
        }
    }

    fn summary(&self) -> String {
        let mut parts = Vec::new();
        if let Some(counts) = &self.counts {
            let bad = counts.failures + counts.errors;
            parts.push(format!("{} tests, {bad} failed, {} skipped", counts.tests, counts.skipped));
        }
        parts.extend(self.exit_code.map(|code| format!("exit code {code}")));
        parts.extend(self.command.clone());
        parts.join(", ")
    }
}

impl Row for HealthRow {
    const COLUMNS: &'static [Column] = &[
        Column("HEALTH", Align::Left),
        Column("WHEN", Align::Left),
        Column("BY", Align::Left),
        Column("TESTS", Align::Left),
        Column("MESSAGE", Align::Left),
    ];
    const NONE: &'static str = "no results were reported";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.health.into()),
            (Paint::Plain, page.ago(self.time_ns)),
            (Paint::Plain, self.actor.clone()),
            (Paint::Plain, self.summary()),
            (Paint::Dim, self.message.lines().next().unwrap_or_default().to_owned()),
        ]
    }

    fn brief(&self) -> String {
        self.health.into()
    }
}

/// A session's health.
#[derive(Debug, Serialize)]
pub struct HealthView {
    session: String,
    session_name: String,
    health: &'static str,
    /// Whether it is about what the session holds now, if that was looked at.
    is_current: Option<bool>,
    result: Option<HealthRow>,
}

impl HealthView {
    /// The view of a result that was just reported.
    #[must_use]
    pub fn reported(session: &Session, health: &Health) -> Self {
        Self::new(session, Some(HealthRow::new(health)), Some(true))
    }

    /// The view of what is known.
    #[must_use]
    pub fn shown(shown: &Shown) -> Self {
        let newest = shown.history.first();
        let is_current = newest.zip(shown.content).map(|(newest, content)| newest.result.content == content);
        Self::new(&shown.session, newest.map(HealthRow::new), is_current)
    }

    fn new(session: &Session, result: Option<HealthRow>, is_current: Option<bool>) -> Self {
        Self {
            session: session.id.clone(),
            session_name: session.name.clone(),
            health: result.as_ref().map_or("unknown", |result| result.health),
            is_current,
            result,
        }
    }
}

impl View for HealthView {
    fn text(&self, page: &mut Page) {
        page.field("session", &self.session_name);
        let note = if self.is_current == Some(false) { " (of other content than it has now)" } else { "" };
        page.field("health", &format!("{}{note}", self.health));
        let Some(result) = &self.result else { return };
        page.field("reported", &format!("{} by {}", page.ago(result.time_ns), result.actor));
        for (name, value) in [("tests", result.summary()), ("message", result.message.clone())] {
            if !value.is_empty() {
                page.field(name, &value);
            }
        }
        for failed in &result.failed {
            page.field("failed", failed);
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.health.into())
    }
}
