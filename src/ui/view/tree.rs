//! Directories of any state, and when a path changed.

use serde::Serialize;

use crate::model::Kind;
use crate::ops::changes::SnapshotEntry;
use crate::ops::names::Named;
use crate::ops::path_log::{Entry, PathChange};
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

use super::changes::kind_word;
use super::{bytes_hex, bytes_text};

/// An entry of a directory.
#[derive(Debug, Serialize)]
pub struct EntryView {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    kind: &'static str,
    mode: String,
    links: u32,
    uid: u32,
    gid: u32,
    size_bytes: u64,
    modified: String,
    inode: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip)]
    modified_ns: i64,
    #[serde(skip)]
    is_dir: bool,
    #[serde(skip)]
    letters: String,
}

impl EntryView {
    /// The view of an entry.
    #[must_use]
    pub fn new(entry: &SnapshotEntry) -> Self {
        let attr = &entry.attr;
        let time = attr.mtime;
        let modified_ns = time.secs.saturating_mul(1_000_000_000).saturating_add(time.nanos.into());
        Self {
            name: bytes_text(&entry.name),
            name_hex: bytes_hex(&entry.name),
            kind: kind_word(attr.kind),
            mode: format!("{:06o}", attr.mode()),
            links: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            size_bytes: attr.size,
            modified: rfc3339(modified_ns),
            inode: attr.ino,
            target: entry.target().map(bytes_text),
            modified_ns,
            is_dir: attr.kind == Kind::Dir,
            letters: letters(attr.kind, attr.perm),
        }
    }

    fn paint(&self) -> Paint {
        if self.is_dir { Paint::Strong } else { Paint::Plain }
    }
}

/// A mode as `ls -l` has it.
fn letters(kind: Kind, perm: u16) -> String {
    let mut text = String::from(match kind {
        Kind::File => "-",
        Kind::Dir => "d",
        Kind::Symlink => "l",
        Kind::Fifo => "p",
        Kind::Socket => "s",
        Kind::CharDevice => "c",
        Kind::BlockDevice => "b",
    });
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = perm >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (perm & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

impl Row for EntryView {
    const COLUMNS: &'static [Column] = &[
        Column("MODE", Align::Left),
        Column("LINKS", Align::Right),
        Column("UID", Align::Right),
        Column("GID", Align::Right),
        Column("SIZE", Align::Right),
        Column("MODIFIED", Align::Left),
        Column("NAME", Align::Left),
    ];
    const NONE: &'static str = "nothing is in it";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        let name = match &self.target {
            Some(target) => format!("{} -> {target}", self.name),
            None => self.name.clone(),
        };
        vec![
            (Paint::Plain, self.letters.clone()),
            (Paint::Plain, self.links.to_string()),
            (Paint::Plain, self.uid.to_string()),
            (Paint::Plain, self.gid.to_string()),
            (Paint::Plain, self.size_bytes.to_string()),
            (Paint::Plain, page.local(self.modified_ns)),
            (self.paint(), name),
        ]
    }

    fn brief(&self) -> String {
        self.name.clone()
    }
}

/// Names only, a line each.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct NamesView(pub Vec<EntryView>);

impl View for NamesView {
    fn text(&self, page: &mut Page) {
        for entry in &self.0 {
            page.put(entry.paint(), &entry.name).end();
        }
    }
}

/// A state in which a path changed.
#[derive(Debug, Serialize)]
pub struct LogView {
    state: String,
    kind: &'static str,
    change: &'static str,
    message: Option<String>,
    created: Option<String>,
    actor: Option<String>,
    #[serde(skip)]
    created_ns: Option<i64>,
    #[serde(skip)]
    letter: &'static str,
}

impl LogView {
    /// The view of a line of the log.
    #[must_use]
    pub fn new(entry: &Entry) -> Self {
        let (kind, message, created_ns, actor) = match &entry.state {
            Named::Session(_) => ("session", None, None, None),
            Named::Checkpoint(_, checkpoint) => {
                let about = match (&checkpoint.name, &checkpoint.reason) {
                    _ if !checkpoint.message.is_empty() => Some(checkpoint.message.clone()),
                    (Some(name), _) => Some(name.clone()),
                    (None, Some(reason)) => Some(format!("(before {reason})")),
                    (None, None) => None,
                };
                ("checkpoint", about, Some(checkpoint.created_ns), Some(checkpoint.actor.clone()))
            }
            Named::Commit(commit) => {
                let (message, actor) = (Some(commit.message.clone()), Some(commit.actor.clone()));
                ("commit", message, Some(commit.created_ns), actor)
            }
            Named::Revision(_, revision) => ("revision", None, Some(revision.created_ns), Some(revision.actor.clone())),
        };
        let (change, letter) = match entry.change {
            PathChange::Added => ("added", "A"),
            PathChange::Modified => ("modified", "M"),
            PathChange::Deleted => ("deleted", "D"),
        };
        let created = created_ns.map(rfc3339);
        Self { state: entry.state.name(), kind, change, message, created, actor, created_ns, letter }
    }
}

impl Row for LogView {
    const COLUMNS: &'static [Column] = &[
        Column("", Align::Left),
        Column("STATE", Align::Left),
        Column("CREATED", Align::Left),
        Column("MESSAGE", Align::Left),
    ];
    const NONE: &'static str = "nothing changed";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        let paint = match self.letter {
            "A" => Paint::Good,
            "D" => Paint::Error,
            _ => Paint::Warning,
        };
        let line = self.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
        vec![
            (paint, self.letter.into()),
            (Paint::Strong, self.state.clone()),
            (Paint::Plain, self.created_ns.map_or_else(|| "now".into(), |time| page.ago(time))),
            (Paint::Plain, line.into()),
        ]
    }

    fn brief(&self) -> String {
        self.state.clone()
    }
}
