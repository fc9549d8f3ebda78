//! Sources and their revisions.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ops::source_list::SourceInfo;
use crate::ops::source_prune::Pruned;
use crate::ops::{Revision, Source};
use crate::ui::{Align, Column, Page, Paint, Row, View, bytes, duration, rfc3339};

use super::{path_hex, path_text};

/// What was done to a source, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SourceAction {
    Shown,
    Created,
    Refreshed,
    Promoted,
    Unchanged,
    Renamed,
    Deleted,
}

/// A source.
#[derive(Debug, Serialize)]
pub struct SourceView {
    id: String,
    name: String,
    kind: &'static str,
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin_hex: Option<String>,
    excludes: Vec<String>,
    respect_gitignore: bool,
    skip_unreadable: bool,
    rev: Option<String>,
    submodules: bool,
    max_bytes: Option<u64>,
    scratch: Vec<String>,
    newest: Option<RevisionView>,
    sessions: Vec<String>,
    tags: BTreeMap<String, String>,
    created: String,
    updated: String,
    actor: String,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    action: SourceAction,
}

impl SourceView {
    /// The view of a source to which something was done.
    #[must_use]
    pub fn new(info: &SourceInfo, action: SourceAction) -> Self {
        let source = &info.source;
        Self {
            id: source.id.clone(),
            name: source.name.clone(),
            kind: source.kind.word(),
            origin: source.origin.as_deref().map(path_text),
            origin_hex: source.origin.as_deref().and_then(path_hex),
            excludes: source.import.excludes.clone(),
            respect_gitignore: source.import.respect_gitignore,
            skip_unreadable: source.import.skip_unreadable,
            rev: source.import.rev.clone(),
            submodules: source.import.submodules,
            max_bytes: source.import.max_bytes,
            scratch: source.scratch.clone(),
            newest: info.newest.as_ref().map(|revision| RevisionView::new(source, revision)),
            sessions: info.sessions.clone(),
            tags: info.tags.clone(),
            created: rfc3339(source.created_ns),
            updated: rfc3339(source.updated_ns),
            actor: source.actor.clone(),
            created_ns: source.created_ns,
            action,
        }
    }

    fn sentence(&self, page: &mut Page) {
        let revision = self.newest.as_ref().map(|newest| newest.number.to_string()).unwrap_or_default();
        let verb = match self.action {
            SourceAction::Created => "Created",
            SourceAction::Refreshed => "Refreshed",
            SourceAction::Promoted => "Promoted",
            SourceAction::Renamed => "Renamed",
            SourceAction::Deleted => "Deleted",
            SourceAction::Unchanged => {
                let text = format!("Nothing changed: {}@{revision} is up to date", self.name);
                return page.line(&text);
            }
            SourceAction::Shown => "",
        };
        page.put(Paint::Plain, verb).put(Paint::Plain, " source ").put(Paint::Strong, &self.name);
        page.put(Paint::Dim, &format!(" ({})", self.id));
        let fresh = matches!(self.action, SourceAction::Created | SourceAction::Refreshed | SourceAction::Promoted);
        if let Some(newest) = self.newest.as_ref().filter(|_| fresh) {
            page.put(Paint::Plain, &format!(": revision {}, {}", newest.number, newest.summary()));
        }
        page.end();
    }
}

impl View for SourceView {
    fn text(&self, page: &mut Page) {
        if self.action != SourceAction::Shown {
            return self.sentence(page);
        }
        page.put(Paint::Strong, &self.name).end();
        page.field("id", &self.id);
        page.field("kind", self.kind);
        if let Some(origin) = &self.origin {
            page.field("origin", origin);
        }
        if let Some(rev) = &self.rev {
            page.field("rev", rev);
        }
        for glob in &self.excludes {
            page.field("exclude", glob);
        }
        for glob in &self.scratch {
            page.field("scratch", glob);
        }
        if self.respect_gitignore {
            page.field("import", "leaves out what `.gitignore` files ignore");
        }
        if let Some(newest) = &self.newest {
            page.field("newest", &format!("{}, {}", newest.number, newest.summary()));
            for line in &newest.left_out {
                page.field("left out", line);
            }
        }
        for session in &self.sessions {
            page.field("session", session);
        }
        for (key, value) in &self.tags {
            page.field("tag", &format!("{key}={value}"));
        }
        page.field("created", &format!("{} by {}", page.when(self.created_ns), self.actor));
    }

    fn brief(&self) -> Option<String> {
        (self.action != SourceAction::Shown).then(|| self.name.clone())
    }
}

impl Row for SourceView {
    const COLUMNS: &'static [Column] = &[
        Column("NAME", Align::Left),
        Column("ID", Align::Left),
        Column("REVISION", Align::Right),
        Column("FILES", Align::Right),
        Column("SIZE", Align::Right),
        Column("SESSIONS", Align::Right),
        Column("ORIGIN", Align::Left),
    ];
    const NONE: &'static str = "there are no sources yet; `aether source create NAME DIR` makes one";

    fn cells(&self, _: &Page) -> Vec<(Paint, String)> {
        let newest = |text: fn(&RevisionView) -> String| self.newest.as_ref().map(text).unwrap_or_default();
        vec![
            (Paint::Strong, self.name.clone()),
            (Paint::Dim, self.id.clone()),
            (Paint::Plain, newest(|newest| newest.number.to_string())),
            (Paint::Plain, newest(|newest| newest.files.to_string())),
            (Paint::Plain, newest(|newest| bytes(newest.size_bytes))),
            (Paint::Plain, self.sessions.len().to_string()),
            (Paint::Plain, self.origin.clone().unwrap_or_else(|| "(empty)".into())),
        ]
    }

    fn brief(&self) -> String {
        self.name.clone()
    }
}

/// A revision of a source.
#[derive(Debug, Serialize)]
pub struct RevisionView {
    source: String,
    number: u64,
    root: String,
    files: u64,
    dirs: u64,
    size_bytes: u64,
    import_ms: u64,
    left_out: Vec<String>,
    origin_version: Option<String>,
    promoted_from: Option<String>,
    created: String,
    actor: String,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    import_ns: u64,
}

impl RevisionView {
    /// The view of a revision.
    #[must_use]
    pub fn new(source: &Source, revision: &Revision) -> Self {
        Self {
            source: source.name.clone(),
            number: revision.number,
            root: revision.root.0.to_hex(),
            files: revision.files,
            dirs: revision.dirs,
            size_bytes: revision.size_bytes,
            import_ms: revision.duration_ns / 1_000_000,
            left_out: revision.left_out.clone(),
            origin_version: revision.origin_version.clone(),
            promoted_from: revision.promoted_from.clone(),
            created: rfc3339(revision.created_ns),
            actor: revision.actor.clone(),
            created_ns: revision.created_ns,
            import_ns: revision.duration_ns,
        }
    }

    fn summary(&self) -> String {
        let (files, size) = (self.files, bytes(self.size_bytes));
        let noun = if files == 1 { "file" } else { "files" };
        match self.import_ns {
            0 => format!("{files} {noun}, {size}"),
            nanos => format!("{files} {noun}, {size}, imported in {}", duration(nanos)),
        }
    }
}

impl Row for RevisionView {
    const COLUMNS: &'static [Column] = &[
        Column("REVISION", Align::Left),
        Column("FILES", Align::Right),
        Column("SIZE", Align::Right),
        Column("IMPORT", Align::Right),
        Column("CREATED", Align::Left),
        Column("BY", Align::Left),
    ];
    const NONE: &'static str = "the source has no revisions";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, Row::brief(self)),
            (Paint::Plain, self.files.to_string()),
            (Paint::Plain, bytes(self.size_bytes)),
            (Paint::Plain, duration(self.import_ns)),
            (Paint::Plain, page.ago(self.created_ns)),
            (Paint::Plain, self.actor.clone()),
        ]
    }

    fn brief(&self) -> String {
        format!("{}@{}", self.source, self.number)
    }
}

/// Revisions that were let go of.
#[derive(Debug, Serialize)]
pub struct PrunedView {
    source: String,
    dry_run: bool,
    pruned: Vec<RevisionView>,
    in_use: Vec<InUse>,
}

/// A revision that stays, because sessions stand on it.
#[derive(Debug, Serialize)]
struct InUse {
    number: u64,
    sessions: Vec<String>,
}

impl PrunedView {
    /// The view of what went and what stays.
    #[must_use]
    pub fn new(pruned: &Pruned) -> Self {
        let in_use = pruned.in_use.iter();
        Self {
            source: pruned.source.name.clone(),
            dry_run: pruned.dry_run,
            pruned: pruned.gone.iter().map(|revision| RevisionView::new(&pruned.source, revision)).collect(),
            in_use: in_use
                .map(|(revision, sessions)| InUse { number: revision.number, sessions: sessions.clone() })
                .collect(),
        }
    }
}

impl View for PrunedView {
    fn text(&self, page: &mut Page) {
        let verb = if self.dry_run { "Would let go of " } else { "Let go of " };
        for revision in &self.pruned {
            page.put(Paint::Plain, verb).put(Paint::Strong, &Row::brief(revision));
            page.put(Paint::Plain, &format!(": {}, made {}", revision.summary(), page.ago(revision.created_ns))).end();
        }
        for kept in &self.in_use {
            page.put(Paint::Plain, "Kept ").put(Paint::Strong, &format!("{}@{}", self.source, kept.number));
            page.put(Paint::Plain, &format!(", on which {} stands", kept.sessions.join(", "))).end();
        }
        if self.pruned.is_empty() && self.in_use.is_empty() {
            page.line("There are no older revisions");
        }
    }
}
