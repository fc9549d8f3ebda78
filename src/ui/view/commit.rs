//! Commits.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ops::commit_create::Draft;
use crate::ops::commit_list::CommitInfo;
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

use super::{AnnotationView, ChangeView};

/// What was done to a commit, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CommitAction {
    Shown,
    Created,
    Amended,
    Deleted,
}

/// A commit.
#[derive(Debug, Serialize)]
pub struct CommitView {
    id: String,
    session: String,
    session_name: String,
    source: Option<String>,
    source_name: Option<String>,
    revision: Option<u64>,
    parent: Option<String>,
    amends: Option<String>,
    change_set: String,
    root: String,
    changed_paths: u64,
    files: u64,
    dirs: u64,
    size_bytes: u64,
    message: String,
    author: String,
    actor: String,
    created: String,
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Vec<AnnotationView>>,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    action: CommitAction,
}

impl CommitView {
    /// The view of a commit to which something was done.
    #[must_use]
    pub fn new(info: &CommitInfo, action: CommitAction) -> Self {
        let commit = &info.commit;
        Self {
            id: commit.id.clone(),
            session: commit.session.clone(),
            session_name: commit.session_name.clone(),
            source: commit.source.clone(),
            source_name: info.source_name.clone(),
            revision: commit.revision,
            parent: commit.parent.clone(),
            amends: commit.amends.clone(),
            change_set: commit.change_set.to_string(),
            root: commit.root.0.to_hex(),
            changed_paths: commit.changed,
            files: commit.totals.files,
            dirs: commit.totals.dirs,
            size_bytes: commit.totals.size_bytes,
            message: commit.message.clone(),
            author: commit.author.clone(),
            actor: commit.actor.clone(),
            created: rfc3339(commit.created_ns),
            tags: info.tags.clone(),
            changes: None,
            annotations: None,
            created_ns: commit.created_ns,
            action,
        }
    }

    /// With what it changed.
    #[must_use]
    pub fn with_changes(mut self, changes: Vec<ChangeView>) -> Self {
        self.changes = Some(changes);
        self
    }

    /// With the notes that it carries.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<AnnotationView>) -> Self {
        self.annotations = Some(notes);
        self
    }

    fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    fn base(&self) -> String {
        match (&self.source_name, self.revision) {
            (Some(source), Some(revision)) => format!("{source}@{revision}"),
            _ => "(empty)".into(),
        }
    }

    fn sentence(&self, page: &mut Page, verb: &str) {
        page.put(Paint::Plain, verb).put(Paint::Plain, " commit ").put(Paint::Strong, &self.id);
        page.put(Paint::Plain, "  ").put(Paint::Plain, self.subject());
        if self.action != CommitAction::Deleted {
            let noun = if self.changed_paths == 1 { "path" } else { "paths" };
            page.put(Paint::Dim, &format!(" ({} {noun} of {})", self.changed_paths, self.session_name));
        }
        page.end();
    }
}

impl View for CommitView {
    fn text(&self, page: &mut Page) {
        match self.action {
            CommitAction::Created => return self.sentence(page, "Created"),
            CommitAction::Amended => return self.sentence(page, "Amended"),
            CommitAction::Deleted => return self.sentence(page, "Deleted"),
            CommitAction::Shown => {}
        }
        page.put(Paint::Strong, &self.id).end();
        page.field("session", &self.session_name);
        page.field("base", &self.base());
        if let Some(parent) = &self.parent {
            page.field("parent", parent);
        }
        page.field("author", &self.author);
        page.field("created", &format!("{} by {}", page.when(self.created_ns), self.actor));
        page.field("change set", &self.change_set);
        for (key, value) in &self.tags {
            page.field("tag", &format!("{key}={value}"));
        }
        page.end();
        for line in self.message.lines() {
            page.put(Paint::Plain, "    ").put(Paint::Plain, line).end();
        }
        if let Some(changes) = self.changes.as_ref().filter(|changes| !changes.is_empty()) {
            page.end();
            changes.iter().for_each(|change| change.line(page));
        }
        if let Some(notes) = self.annotations.as_ref().filter(|notes| !notes.is_empty()) {
            page.end();
            notes.iter().for_each(|note| note.put_beside(page, true));
        }
    }

    fn brief(&self) -> Option<String> {
        (self.action != CommitAction::Shown).then(|| self.id.clone())
    }
}

impl Row for CommitView {
    const COLUMNS: &'static [Column] = &[
        Column("COMMIT", Align::Left),
        Column("SESSION", Align::Left),
        Column("BASE", Align::Left),
        Column("PATHS", Align::Right),
        Column("AUTHOR", Align::Left),
        Column("CREATED", Align::Left),
        Column("MESSAGE", Align::Left),
    ];
    const NONE: &'static str = "there are no commits yet; `aether commit -m MESSAGE` makes one";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.id.clone()),
            (Paint::Plain, self.session_name.clone()),
            (Paint::Plain, self.base()),
            (Paint::Plain, self.changed_paths.to_string()),
            (Paint::Plain, self.author.clone()),
            (Paint::Plain, page.ago(self.created_ns)),
            (Paint::Plain, self.subject().to_owned()),
        ]
    }

    fn brief(&self) -> String {
        self.id.clone()
    }
}

/// What a commit would hold.
#[derive(Debug, Serialize)]
pub struct DraftView {
    session: String,
    session_name: String,
    parent: Option<String>,
    amends: Option<String>,
    change_set: String,
    message: Option<String>,
    author: String,
    changes: Vec<ChangeView>,
}

impl DraftView {
    /// The view of a draft.
    #[must_use]
    pub fn new(draft: &Draft) -> Self {
        let session = draft.session();
        Self {
            session: session.id.clone(),
            session_name: session.name.clone(),
            parent: draft.parent.as_ref().map(|parent| parent.id.clone()),
            amends: draft.amends.as_ref().map(|amended| amended.id.clone()),
            change_set: draft.change_set().to_string(),
            message: draft.message.clone(),
            author: draft.author.clone(),
            changes: draft.compared().visible().into_iter().map(ChangeView::new).collect(),
        }
    }
}

impl View for DraftView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "Would commit of ").put(Paint::Strong, &self.session_name);
        page.put(Paint::Plain, &format!(", as {}:", self.author)).end();
        self.changes.iter().for_each(|change| change.line(page));
        for line in self.message.iter().flat_map(|message| message.lines()) {
            page.put(Paint::Plain, "    ").put(Paint::Plain, line).end();
        }
    }
}
