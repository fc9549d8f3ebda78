//! Annotations.

use serde::Serialize;

use super::{bytes_hex, bytes_text};
use crate::ops::annotation::Info;
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

/// A note.
#[derive(Clone, Debug, Serialize)]
pub struct AnnotationView {
    id: String,
    session: String,
    session_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    first_line: Option<u64>,
    last_line: Option<u64>,
    /// Whether what it was about is gone; `path` and the lines are then those that it had.
    outdated: bool,
    state: &'static str,
    text: String,
    content: Option<String>,
    created: String,
    actor: String,
    replies: Vec<ReplyView>,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    done: Option<&'static str>,
}

/// An answer.
#[derive(Clone, Debug, Serialize)]
struct ReplyView {
    text: String,
    time: String,
    actor: String,
    #[serde(skip)]
    time_ns: i64,
}

impl AnnotationView {
    /// The view of a note; `done` is the verb for what was done to it.
    #[must_use]
    pub fn new(info: &Info, done: Option<&'static str>) -> Self {
        let note = &info.annotation;
        let (path, lines) = match &info.place {
            Some(place) => (&place.path, place.lines),
            None => (&note.path, note.lines),
        };
        let reply = |reply: &crate::ops::annotation::Reply| ReplyView {
            text: reply.text.clone(),
            time: rfc3339(reply.time_ns),
            actor: reply.actor.clone(),
            time_ns: reply.time_ns,
        };
        Self {
            id: note.id.clone(),
            session: note.session.clone(),
            session_name: info.session.clone(),
            commit: info.commit.clone(),
            path: bytes_text(path.as_bytes()),
            path_hex: bytes_hex(path.as_bytes()),
            first_line: lines.map(|lines| lines.0),
            last_line: lines.map(|lines| lines.1),
            outdated: info.place.is_none(),
            state: if note.is_open { "open" } else { "resolved" },
            text: note.text.clone(),
            content: note.content.map(|content| content.to_hex()),
            created: rfc3339(note.created_ns),
            actor: note.actor.clone(),
            replies: info.replies.iter().map(reply).collect(),
            created_ns: note.created_ns,
            done,
        }
    }

    /// The path that it is about, as [`bytes_text`] has it; the root is empty.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// All bytes of that path in hexadecimal, if they are not UTF-8.
    pub(super) fn path_hex(&self) -> Option<&str> {
        self.path_hex.as_deref()
    }

    /// Whether it has a place in the tree.
    pub(super) fn is_there(&self) -> bool {
        !self.outdated
    }

    /// The last of its lines.
    pub(super) fn last_line(&self) -> Option<u64> {
        self.last_line
    }

    /// Lines of a text that the note stands beside, or with `full` by itself: who says what, and what was answered.
    pub(super) fn put_beside(&self, page: &mut Page, full: bool) {
        const BAR: &str = "  \u{2502} ";
        let at = match (self.first_line, self.last_line) {
            _ if full => format!(" at {}", self.at()),
            (Some(first), Some(last)) if first != last => format!(" at {first}-{last}"),
            _ => String::new(),
        };
        let state = if full && self.state != "open" { format!(", {}", self.state) } else { String::new() };
        page.put(Paint::Hint, BAR).put(Paint::Strong, &self.id);
        page.put(Paint::Dim, &format!(" by {}{at}{state}", self.actor)).end();
        let mut put = |who: &str, text: &str| {
            for (number, line) in text.lines().enumerate() {
                let who = if number == 0 { who } else { "" };
                page.put(Paint::Hint, BAR).put(Paint::Dim, who).put(Paint::Plain, line).end();
            }
        };
        put("", &self.text);
        for reply in &self.replies {
            put(&format!("{}: ", reply.actor), &reply.text);
        }
    }

    fn at(&self) -> String {
        let path = if self.path.is_empty() { "(all)" } else { &self.path };
        let mark = if self.outdated { " (outdated)" } else { "" };
        match (self.first_line, self.last_line) {
            (Some(first), Some(last)) if first != last => format!("{path}:{first}-{last}{mark}"),
            (Some(first), _) => format!("{path}:{first}{mark}"),
            _ => format!("{path}{mark}"),
        }
    }
}

impl View for AnnotationView {
    fn text(&self, page: &mut Page) {
        if let Some(verb) = self.done {
            page.put(Paint::Plain, verb).put(Paint::Plain, " annotation ").put(Paint::Strong, &self.id);
            page.put(Paint::Plain, " at ").put(Paint::Plain, &self.at()).end();
            return;
        }
        page.put(Paint::Strong, &self.id).put(Paint::Plain, " ").put(Paint::Plain, self.state).end();
        page.field("session", &self.session_name);
        if let Some(commit) = &self.commit {
            page.field("commit", commit);
        }
        page.field("at", &self.at());
        if let Some(content) = &self.content {
            page.field("content", content);
        }
        page.field("made", &format!("{} by {}", page.when(self.created_ns), self.actor));
        for line in self.text.lines() {
            page.field("", line);
        }
        for reply in &self.replies {
            page.field("reply", &format!("{} by {}", page.when(reply.time_ns), reply.actor));
            for line in reply.text.lines() {
                page.field("", line);
            }
        }
    }

    fn brief(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

impl Row for AnnotationView {
    const COLUMNS: &'static [Column] = &[
        Column("ID", Align::Left),
        Column("AT", Align::Left),
        Column("STATE", Align::Left),
        Column("BY", Align::Left),
        Column("NOTE", Align::Left),
    ];
    const NONE: &'static str = "there are no notes; `aether annotation add` makes one";

    fn cells(&self, _: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.id.clone()),
            (if self.outdated { Paint::Dim } else { Paint::Plain }, self.at()),
            (Paint::Plain, self.state.into()),
            (Paint::Plain, self.actor.clone()),
            (Paint::Plain, self.text.lines().next().unwrap_or_default().to_owned()),
        ]
    }

    fn brief(&self) -> String {
        self.id.clone()
    }
}
