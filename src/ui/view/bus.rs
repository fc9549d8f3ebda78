//! Messages.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::ops::BusMessage;
use crate::ui::{Page, Paint, View, rfc3339};

/// A message.
#[derive(Debug, Serialize)]
pub struct MessageView {
    cursor: i64,
    session: String,
    topic: String,
    time: String,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl MessageView {
    /// The view of a message.
    #[must_use]
    pub fn new(message: &BusMessage) -> Self {
        let text = std::str::from_utf8(&message.body).ok();
        Self {
            cursor: message.seq,
            session: message.session.clone(),
            topic: message.topic.clone(),
            time: rfc3339(message.time_ns),
            actor: message.actor.clone(),
            body: text.map(str::to_owned),
            body_base64: text.is_none().then(|| BASE64_STANDARD.encode(&message.body)),
        }
    }
}

impl View for MessageView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Dim, &format!("{:>5}  {}  {}  ", self.cursor, self.time, self.actor));
        page.put(Paint::Strong, &self.topic).put(Paint::Plain, "  ");
        match (&self.body, &self.body_base64) {
            (Some(text), _) => page.put(Paint::Plain, text).end(),
            (None, encoded) => page.put(Paint::Dim, encoded.as_deref().unwrap_or_default()).end(),
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.cursor.to_string())
    }
}

/// Messages that were published.
#[derive(Debug, Serialize)]
pub struct PublishedView {
    topic: String,
    messages: u64,
    cursor: i64,
}

impl PublishedView {
    /// The view of what was published.
    #[must_use]
    pub fn new(topic: &str, messages: u64, cursor: i64) -> Self {
        Self { topic: topic.to_owned(), messages, cursor }
    }
}

impl View for PublishedView {
    fn text(&self, page: &mut Page) {
        let count = if self.messages == 1 { "1 message".into() } else { format!("{} messages", self.messages) };
        page.put(Paint::Plain, &format!("Published {count} on ")).put(Paint::Strong, &self.topic);
        page.put(Paint::Dim, &format!(" (cursor {})", self.cursor)).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.cursor.to_string())
    }
}
