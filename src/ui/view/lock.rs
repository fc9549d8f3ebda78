//! Locks.

use serde::Serialize;

use crate::ops::lock::LockInfo;
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

use super::{bytes_hex, bytes_text};

/// What was done to a lock, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LockAction {
    Listed,
    Acquired,
    Renewed,
    Released,
    Broken,
}

/// A lock. Its token is shown to those who have it, or have just got it.
#[derive(Debug, Serialize)]
pub struct LockView {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    literal: bool,
    source: String,
    source_name: String,
    session: String,
    session_name: Option<String>,
    actor: String,
    message: String,
    acquired: String,
    expires: String,
    #[serde(skip)]
    times: (i64, i64),
    #[serde(skip)]
    action: LockAction,
}

impl LockView {
    /// The view of a lock to which something was done.
    #[must_use]
    pub fn new(info: &LockInfo, action: LockAction) -> Self {
        let lock = &info.lock;
        Self {
            token: matches!(action, LockAction::Acquired | LockAction::Renewed).then(|| lock.token.clone()),
            path: format!("/{}", bytes_text(&lock.pattern)),
            path_hex: bytes_hex(&lock.pattern),
            literal: lock.is_literal,
            source: lock.source.clone(),
            source_name: info.source.clone(),
            session: lock.session.clone(),
            session_name: info.session.clone(),
            actor: lock.actor.clone(),
            message: lock.message.clone(),
            acquired: rfc3339(lock.acquired_ns),
            expires: rfc3339(lock.expires_ns),
            times: (lock.acquired_ns, lock.expires_ns),
            action,
        }
    }
}

impl View for LockView {
    fn text(&self, page: &mut Page) {
        let expires = page.expires(self.times.1);
        let (verb, rest) = match self.action {
            // The token alone, so that a script can take it as it is.
            LockAction::Acquired => return page.line(self.token.as_deref().unwrap_or_default()),
            LockAction::Listed => ("Locked ", format!(" by {}", self.actor)),
            LockAction::Renewed => ("Renewed ", format!(" ({expires})")),
            LockAction::Released => ("Released ", String::new()),
            LockAction::Broken => ("Took ", format!(" away from {}", self.actor)),
        };
        page.put(Paint::Plain, verb).put(Paint::Strong, &self.path).put(Paint::Plain, &rest).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.token.clone().unwrap_or_else(|| self.path.clone()))
    }
}

impl Row for LockView {
    const COLUMNS: &'static [Column] = &[
        Column("PATH", Align::Left),
        Column("SOURCE", Align::Left),
        Column("BY", Align::Left),
        Column("SESSION", Align::Left),
        Column("SINCE", Align::Left),
        Column("EXPIRES", Align::Left),
        Column("MESSAGE", Align::Left),
    ];
    const NONE: &'static str = "no locks";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.path.clone()),
            (Paint::Plain, self.source_name.clone()),
            (Paint::Plain, self.actor.clone()),
            (Paint::Plain, self.session_name.clone().unwrap_or_else(|| self.session.clone())),
            (Paint::Plain, page.ago(self.times.0)),
            (Paint::Plain, page.expires(self.times.1)),
            (Paint::Dim, self.message.lines().next().unwrap_or_default().to_owned()),
        ]
    }

    fn brief(&self) -> String {
        self.path.clone()
    }
}
