//! What a session changed.

use std::path::Path;

use serde::Serialize;

use crate::model::{BytePath, ChangeKind, Kind};
use crate::ops::changes::{Change, FileDiff, SnapshotEntry};
use crate::ops::session_changes::{Changed, FileChange};
use crate::ui::{Align, Column, Page, Paint, Row, View};

use super::{AnnotationView, bytes_hex, path_hex, path_text};

/// The widest bar of `--stat`, in characters.
const BAR_WIDTH: u64 = 40;

/// One changed path.
#[derive(Debug, Serialize)]
pub struct ChangeView {
    status: char,
    change: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path_hex: Option<String>,
    kind: Option<&'static str>,
    old_mode: Option<String>,
    new_mode: Option<String>,
    old_size_bytes: Option<u64>,
    new_size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Lines>,
    /// The notes on it, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<Vec<AnnotationView>>,
}

/// Lines that a change adds and takes away; both missing for what is no text.
#[derive(Clone, Copy, Debug, Serialize)]
struct Lines {
    binary: bool,
    added: u64,
    deleted: u64,
}

impl ChangeView {
    /// The view of a change without a look into the file.
    #[must_use]
    pub fn new(change: &Change) -> Self {
        let mode = |entry: &Option<SnapshotEntry>| entry.as_ref().map(mode_text);
        let size = |entry: &Option<SnapshotEntry>| entry.as_ref().map(|entry| entry.attr.size);
        let from = match &change.kind {
            ChangeKind::Renamed { from } => Some(from),
            _ => None,
        };
        let shown = change.new.as_ref().or(change.old.as_ref());
        Self {
            status: change.kind.letter(),
            change: word(&change.kind),
            path: text(&change.path),
            path_hex: bytes_hex(change.path.as_bytes()),
            old_path: from.map(text),
            old_path_hex: from.and_then(|from| bytes_hex(from.as_bytes())),
            kind: Some(shown.map_or("file", |entry| kind_word(entry.attr.kind))),
            old_mode: mode(&change.old),
            new_mode: mode(&change.new),
            old_size_bytes: size(&change.old),
            new_size_bytes: size(&change.new),
            lines: None,
            annotations: None,
        }
    }

    /// The view of a path that did not change, or is not there: only the notes on it say something.
    fn noted(note: AnnotationView) -> Self {
        Self {
            status: ' ',
            change: "unchanged",
            path: note.path().to_owned(),
            path_hex: note.path_hex().map(str::to_owned),
            old_path: None,
            old_path_hex: None,
            kind: None,
            old_mode: None,
            new_mode: None,
            old_size_bytes: None,
            new_size_bytes: None,
            lines: None,
            annotations: Some(vec![note]),
        }
    }

    /// Puts notes to the paths that they are on; what is on other paths, or outdated, stands behind the changes.
    #[must_use]
    pub fn with_notes(mut changes: Vec<Self>, notes: Vec<AnnotationView>) -> Vec<Self> {
        changes.iter_mut().for_each(|change| change.annotations = Some(Vec::new()));
        let count = changes.len();
        for note in notes {
            let is_on = |change: &Self| (&*change.path, change.path_hex.as_deref()) == (note.path(), note.path_hex());
            let is_here =
                |at: usize, change: &Self| is_on(change) && (at >= count || note.is_there() && change.status != 'D');
            match changes.iter().enumerate().position(|(at, change)| is_here(at, change)) {
                Some(at) => changes[at].annotations.get_or_insert_default().push(note),
                None => changes.push(Self::noted(note)),
            }
        }
        changes
    }

    /// The view of a change with its lines counted.
    #[must_use]
    pub fn counted(file: &FileChange<'_>) -> Self {
        let (added, deleted) = file.diff.counts();
        let binary = matches!(file.diff, FileDiff::Binary { .. });
        Self { lines: Some(Lines { binary, added, deleted }), ..Self::new(file.change) }
    }

    /// A letter and the path, as a line of a list.
    pub(super) fn line(&self, page: &mut Page) {
        page.put(Paint::Plain, "  ").put(self.paint(), &self.status.to_string());
        page.put(Paint::Plain, &format!(" {}", self.name())).end();
    }

    fn paint(&self) -> Paint {
        match self.status {
            'A' => Paint::Good,
            'D' => Paint::Error,
            _ => Paint::Warning,
        }
    }

    /// What happened to the path, in words; with the permissions if they changed, or are not what they mostly are.
    #[must_use]
    pub fn headline(&self) -> String {
        let perm = |mode: &Option<String>| mode.as_ref().map(|mode| mode[2..].trim_start_matches('0').to_owned());
        let is_file = |mode: &Option<String>| mode.as_ref().is_some_and(|mode| mode.starts_with("100"));
        let what = self.kind.filter(|kind| *kind != "file").map(|kind| format!(" {kind}")).unwrap_or_default();
        let mode = match (perm(&self.old_mode), perm(&self.new_mode)) {
            (Some(old), Some(new)) if old != new && self.status != 'T' => format!(" (mode {old} → {new})"),
            (None, Some(new)) if is_file(&self.new_mode) && new != "644" => format!(" (mode {new})"),
            _ => String::new(),
        };
        format!("{}{what}: {}{mode}", self.change, self.name())
    }

    /// A line with the letter and the path.
    pub(super) fn put_line(&self, page: &mut Page) {
        page.put(self.paint(), &self.status.to_string()).put(Paint::Plain, "  ");
        if let Some(from) = &self.old_path {
            page.put(Paint::Plain, from).put(Paint::Plain, " → ");
        }
        page.put(Paint::Plain, &self.path).end();
    }

    fn name(&self) -> String {
        match &self.old_path {
            Some(from) => format!("{from} → {}", self.path),
            None if self.kind == Some("directory") => format!("{}/", self.path),
            None => self.path.clone(),
        }
    }
}

/// Type and permissions in octal. The permissions of a symbolic link mean nothing; git writes none.
fn mode_text(entry: &SnapshotEntry) -> String {
    match entry.attr.kind {
        Kind::Symlink => "120000".to_owned(),
        _ => format!("{:06o}", entry.attr.mode()),
    }
}

fn text(path: &BytePath) -> String {
    path_text(path.as_path())
}

fn word(kind: &ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Deleted => "deleted",
        ChangeKind::Modified => "modified",
        ChangeKind::TypeChanged => "type-changed",
        ChangeKind::ModeChanged => "mode-changed",
        ChangeKind::Renamed { .. } => "renamed",
    }
}

pub(super) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "character-device",
        Kind::BlockDevice => "block-device",
    }
}

impl Row for ChangeView {
    const COLUMNS: &'static [Column] = &[Column("", Align::Left), Column("PATH", Align::Left)];
    const NONE: &'static str = "nothing changed";

    fn cells(&self, _page: &Page) -> Vec<(Paint, String)> {
        vec![(self.paint(), self.status.to_string()), (Paint::Plain, self.name())]
    }

    fn brief(&self) -> String {
        self.path.clone()
    }
}

/// Names and letters only, as `git diff --name-status` has them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct NameStatusView(pub Vec<ChangeView>);

impl View for NameStatusView {
    fn text(&self, page: &mut Page) {
        self.0.iter().for_each(|change| change.put_line(page));
    }
}

/// Lines changed by file, with a bar.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct StatView(pub Vec<ChangeView>);

impl View for StatView {
    fn text(&self, page: &mut Page) {
        let lines = |change: &ChangeView| change.lines.map_or((0, 0), |lines| (lines.added, lines.deleted));
        let most = self.0.iter().map(|change| lines(change).0 + lines(change).1).max().unwrap_or(0);
        let width = self.0.iter().map(|change| change.name().chars().count()).max().unwrap_or(0);
        let (mut added, mut deleted) = (0, 0);
        for change in &self.0 {
            let name = change.name();
            let pad = " ".repeat(width - name.chars().count());
            page.put(Paint::Plain, &format!(" {name}{pad} | "));
            if change.lines.is_some_and(|lines| lines.binary) {
                let (old, new) = (change.old_size_bytes.unwrap_or(0), change.new_size_bytes.unwrap_or(0));
                page.put(Paint::Plain, &format!("Bin {old} -> {new} bytes")).end();
                continue;
            }
            let (plus, minus) = lines(change);
            (added, deleted) = (added + plus, deleted + minus);
            let scaled = |count: u64| if most > BAR_WIDTH { (count * BAR_WIDTH).div_ceil(most) } else { count };
            page.put(Paint::Plain, &format!("{:>5} ", plus + minus));
            page.put(Paint::Good, &"+".repeat(scaled(plus) as usize));
            page.put(Paint::Error, &"-".repeat(scaled(minus) as usize)).end();
        }
        let files = self.0.len();
        let noun = if files == 1 { "path" } else { "paths" };
        let lines = if added == 1 { "line" } else { "lines" };
        page.line(&format!(" {files} {noun} changed, {added} {lines} added, {deleted} deleted"));
    }
}

/// Where a session stands, and what it changed.
#[derive(Debug, Serialize)]
pub struct StatusView {
    id: String,
    name: String,
    status: &'static str,
    source: Option<String>,
    revision: Option<u64>,
    newest_revision: Option<u64>,
    mount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mount_hex: Option<String>,
    change_set: String,
    changes: Vec<ChangeView>,
}

impl StatusView {
    /// The view of a session's changes; `change_set` is their hash.
    #[must_use]
    pub fn new(changed: &Changed, change_set: String) -> Self {
        let session = &changed.session;
        let mount = changed.mount.as_deref();
        Self {
            id: session.id.clone(),
            name: session.name.clone(),
            status: session.status.word(),
            source: session.source_name.clone(),
            revision: session.base.revision,
            newest_revision: changed.newest_revision,
            mount: mount.map(path_text),
            mount_hex: mount.and_then(|path: &Path| path_hex(path)),
            change_set,
            changes: changed.compared.visible().into_iter().map(ChangeView::new).collect(),
        }
    }
}

impl View for StatusView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "Session ").put(Paint::Strong, &self.name);
        if let (Some(source), Some(revision)) = (&self.source, self.revision) {
            page.put(Paint::Plain, &format!(" on {source}@{revision}"));
        }
        match &self.mount {
            Some(mount) => page.put(Paint::Plain, &format!(", mounted at {mount}")).end(),
            None => page.put(Paint::Plain, ", not mounted").end(),
        }
        if self.status != "active" {
            page.field("status", self.status);
        }
        if let (Some(revision), Some(newest)) = (self.revision, self.newest_revision)
            && newest > revision
        {
            let noun = if newest - revision == 1 { "revision" } else { "revisions" };
            let name = &self.name;
            page.field("behind", &format!("{} {noun}; `aether update {name}` brings it up", newest - revision));
        }
        match self.changes.len() {
            0 => page.line("Nothing changed"),
            1 => page.line("1 path changed:"),
            count => page.line(&format!("{count} paths changed:")),
        }
        self.changes.iter().for_each(|change| change.line(page));
    }
}
