//! Sessions.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ops::HealthNow;
use crate::ops::session_list::{Lineage, MountState, Serving, SessionInfo};
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

use super::{path_hex, path_text, plural};

/// What was done to a session, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SessionAction {
    Shown,
    Created,
    Forked,
    Renamed,
    Deleted,
    Archived,
    Activated,
    Expires,
}

/// A mount point.
#[derive(Debug, Serialize)]
struct MountView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

/// Who serves a mount.
#[derive(Debug, Serialize)]
struct ServingView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    state: MountState,
    pid: u32,
    keeper: Option<u32>,
}

impl From<&Serving> for ServingView {
    fn from(serving: &Serving) -> Self {
        let Serving { mount_point, state, pid, keeper } = serving;
        Self {
            path: path_text(mount_point),
            path_hex: path_hex(mount_point),
            state: *state,
            pid: *pid,
            keeper: *keeper,
        }
    }
}

impl ServingView {
    fn text(&self) -> String {
        match (self.state, self.keeper) {
            (MountState::Dead, _) => "nobody: `aether session unmount` takes what is left of the mount away".into(),
            (MountState::Starting, _) => format!("process {}, which is taking over", self.pid),
            (_, Some(keeper)) => format!("process {}, kept by process {keeper}", self.pid),
            (_, None) => format!("process {}, without a keeper", self.pid),
        }
    }
}

/// A session.
#[derive(Debug, Serialize)]
pub struct SessionView {
    id: String,
    name: String,
    status: &'static str,
    source: Option<String>,
    revision: Option<u64>,
    parent: Option<String>,
    parent_name: Option<String>,
    parent_checkpoint: Option<u64>,
    from_commit: Option<String>,
    head_commit: Option<String>,
    #[serde(skip)]
    lineage: Lineage,
    mounts: Vec<MountView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    serving: Vec<ServingView>,
    tags: BTreeMap<String, String>,
    health: &'static str,
    health_reported: Option<String>,
    expires: Option<String>,
    created: String,
    updated: String,
    actor: String,
    #[serde(skip)]
    newest: Option<HealthNow>,
    #[serde(skip)]
    expires_ns: Option<i64>,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    action: SessionAction,
}

impl SessionView {
    /// The view of a session to which something was done.
    #[must_use]
    pub fn new(info: &SessionInfo, action: SessionAction) -> Self {
        let session = &info.session;
        Self {
            id: session.id.clone(),
            name: session.name.clone(),
            status: session.status.word(),
            source: session.source_name.clone(),
            revision: session.base.revision,
            parent: session.parent.clone(),
            parent_name: info.lineage.parent_name.clone(),
            parent_checkpoint: session.parent_checkpoint,
            from_commit: session.from_commit.clone(),
            head_commit: session.head_commit.clone(),
            lineage: info.lineage.clone(),
            mounts: info
                .mounts
                .iter()
                .map(|path| MountView { path: path_text(path), path_hex: path_hex(path) })
                .collect(),
            serving: info.serving.iter().map(ServingView::from).collect(),
            tags: info.tags.clone(),
            health: info.health_word(),
            health_reported: info.health.as_ref().map(|newest| rfc3339(newest.time_ns)),
            newest: info.health.clone(),
            expires: session.expires_ns.map(rfc3339),
            expires_ns: session.expires_ns,
            created: rfc3339(session.created_ns),
            updated: rfc3339(session.updated_ns),
            actor: session.actor.clone(),
            created_ns: session.created_ns,
            action,
        }
    }

    fn base(&self) -> String {
        match (&self.source, self.revision) {
            (Some(source), Some(revision)) => format!("{source}@{revision}"),
            (Some(source), None) => source.clone(),
            _ => "(empty)".into(),
        }
    }

    /// What it was forked from.
    fn parent(&self) -> String {
        let name = self.parent_name.as_ref().or(self.parent.as_ref()).cloned().unwrap_or_default();
        match self.parent_checkpoint {
            Some(number) => format!("{name}@{number}"),
            None => name,
        }
    }

    /// The status, and when that will change by itself.
    fn state(&self, page: &Page) -> String {
        match self.expires_ns {
            Some(expires) => format!("{}, {}", self.status, page.expires(expires)),
            None => self.status.into(),
        }
    }

    fn tell_expiry(&self, page: &mut Page) {
        let text = self.expires_ns.map_or_else(|| "never expires".into(), |expires| page.expires(expires));
        page.put(Paint::Plain, "Session ").put(Paint::Strong, &self.name).put(Paint::Plain, &format!(" {text}")).end();
    }

    fn sentence(&self, page: &mut Page, verb: &str) {
        page.put(Paint::Plain, verb).put(Paint::Plain, " session ").put(Paint::Strong, &self.name);
        page.put(Paint::Dim, &format!(" ({})", self.id));
        if self.action == SessionAction::Created {
            page.put(Paint::Plain, &format!(" on {}", self.base()));
        }
        if self.action == SessionAction::Forked {
            page.put(Paint::Plain, &format!(" from {}", self.parent()));
        }
        page.end();
    }
}

impl View for SessionView {
    fn text(&self, page: &mut Page) {
        match self.action {
            SessionAction::Created => return self.sentence(page, "Created"),
            SessionAction::Forked => return self.sentence(page, "Forked"),
            SessionAction::Renamed => return self.sentence(page, "Renamed"),
            SessionAction::Deleted => return self.sentence(page, "Deleted"),
            SessionAction::Archived => return self.sentence(page, "Archived"),
            SessionAction::Activated => return self.sentence(page, "Activated"),
            SessionAction::Expires => return self.tell_expiry(page),
            SessionAction::Shown => {}
        }
        page.put(Paint::Strong, &self.name).end();
        page.field("id", &self.id);
        page.field("status", &self.state(page));
        page.field("base", &self.base());
        if self.parent.is_some() {
            page.field("parent", &self.parent());
        }
        if let Some(commit) = &self.from_commit {
            page.field("began with", commit);
        }
        if let Some(commit) = &self.head_commit {
            page.field("commit", commit);
        }
        for fork in &self.lineage.forks {
            page.field("fork", fork);
        }
        if self.lineage.checkpoints > 0 {
            page.field("kept", &plural(self.lineage.checkpoints as u64, "checkpoint"));
        }
        for mount in &self.mounts {
            page.field("mounted", &mount.path);
        }
        for serving in &self.serving {
            page.field("served by", &serving.text());
        }
        for (key, value) in &self.tags {
            page.field("tag", &format!("{key}={value}"));
        }
        if let Some(newest) = &self.newest {
            page.field("health", &format!("{}, {} by {}", self.health, page.ago(newest.time_ns), newest.actor));
        }
        page.field("created", &format!("{} by {}", page.when(self.created_ns), self.actor));
    }

    fn brief(&self) -> Option<String> {
        (self.action != SessionAction::Shown).then(|| self.name.clone())
    }
}

impl Row for SessionView {
    const COLUMNS: &'static [Column] = &[
        Column("NAME", Align::Left),
        Column("ID", Align::Left),
        Column("BASE", Align::Left),
        Column("STATUS", Align::Left),
        Column("HEALTH", Align::Left),
        Column("CREATED", Align::Left),
        Column("MOUNTED", Align::Left),
    ];
    const NONE: &'static str = "there are no sessions yet; `aether session create --source NAME` makes one";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        let mounted = self.mounts.iter().map(|mount| mount.path.as_str()).collect::<Vec<_>>().join(", ");
        vec![
            (Paint::Strong, self.name.clone()),
            (Paint::Dim, self.id.clone()),
            (Paint::Plain, self.base()),
            (Paint::Plain, self.state(page)),
            match &self.newest {
                None => (Paint::Dim, self.health.into()),
                Some(newest) => (if newest.is_passing { Paint::Good } else { Paint::Error }, self.health.into()),
            },
            (Paint::Plain, page.ago(self.created_ns)),
            (Paint::Plain, mounted),
        ]
    }

    fn brief(&self) -> String {
        self.name.clone()
    }
}
