//! Approvals.

use serde::Serialize;
use serde_json::Value;

use super::ChangeView;
use crate::ops::approval::{Answer, Approval, ApprovalState, Info, Verdict};
use crate::ops::session_changes::Compared;
use crate::ui::{Align, Column, Page, Paint, Row, View, rfc3339};

/// What was done to an approval, for the sentence that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ApprovalAction {
    Shown,
    Requested,
    Answered(Verdict),
}

/// An approval.
#[derive(Debug, Serialize)]
pub struct ApprovalView {
    id: String,
    session: String,
    session_name: String,
    action: String,
    /// `pending`, `granted`, `denied`, `cancelled`, `expired`; where the session was looked at, `stale` too.
    state: &'static str,
    /// Whether the session holds what it is about: `current`, `stale` or `gone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'static str>,
    change_set: String,
    reason: String,
    details: Option<Value>,
    grants_needed: u32,
    freezes: bool,
    expires: Option<String>,
    created: String,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Vec<AnswerView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeView>>,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    expires_ns: Option<i64>,
    #[serde(skip)]
    done: ApprovalAction,
}

/// An answer.
#[derive(Debug, Serialize)]
struct AnswerView {
    verdict: &'static str,
    message: String,
    time: String,
    actor: String,
    actor_kind: Option<String>,
    signed: bool,
    #[serde(skip)]
    time_ns: i64,
}

impl AnswerView {
    fn new(answer: &Answer) -> Self {
        Self {
            verdict: answer.verdict.word(),
            message: answer.message.clone(),
            time: rfc3339(answer.time_ns),
            actor: answer.actor.clone(),
            actor_kind: answer.actor_kind.clone(),
            signed: answer.signature.is_some(),
            time_ns: answer.time_ns,
        }
    }
}

impl ApprovalView {
    /// The view of an approval to which something was done.
    #[must_use]
    pub fn new(approval: &Approval, done: ApprovalAction) -> Self {
        Self {
            id: approval.id.clone(),
            session: approval.session.clone(),
            session_name: approval.session_name.clone(),
            action: approval.action.clone(),
            state: approval.state.word(),
            content: None,
            change_set: approval.content.0.to_hex(),
            reason: approval.reason.clone(),
            details: approval.details.clone(),
            grants_needed: approval.needed,
            freezes: approval.freezes,
            expires: approval.expires_ns.map(rfc3339),
            created: rfc3339(approval.created_ns),
            actor: approval.actor.clone(),
            answers: None,
            changes: None,
            created_ns: approval.created_ns,
            expires_ns: approval.expires_ns,
            done,
        }
    }

    /// With its answers, and whether it is stale.
    #[must_use]
    pub fn standing(info: &Info) -> Self {
        let mut view = Self::new(&info.approval, ApprovalAction::Shown);
        view.state = info.word();
        view.content = Some(info.standing.word());
        view.answers = Some(info.answers.iter().map(AnswerView::new).collect());
        view
    }

    /// With all that it is about.
    #[must_use]
    pub fn with_content(info: &Info, compared: &Compared) -> Self {
        let changes = compared.visible().into_iter().map(ChangeView::new).collect();
        Self { changes: Some(changes), ..Self::standing(info) }
    }

    fn paint(&self) -> Paint {
        match self.state {
            "granted" => Paint::Good,
            "denied" => Paint::Error,
            "pending" | "stale" => Paint::Warning,
            _ => Paint::Dim,
        }
    }

    fn sentence(&self, page: &mut Page, verb: &str) {
        page.put(Paint::Plain, verb).put(Paint::Strong, &self.action);
        page.put(Paint::Plain, " of session ").put(Paint::Strong, &self.session_name);
        page.put(Paint::Dim, &format!(" ({})", self.id));
        if verb == "Granted " && self.state == ApprovalState::Pending.word() {
            page.put(Paint::Plain, "; more grants are needed");
        }
        page.end();
    }
}

impl View for ApprovalView {
    fn text(&self, page: &mut Page) {
        match self.done {
            ApprovalAction::Requested => return self.sentence(page, "Asked for "),
            ApprovalAction::Answered(Verdict::Grant) => return self.sentence(page, "Granted "),
            ApprovalAction::Answered(Verdict::Deny) => return self.sentence(page, "Denied "),
            ApprovalAction::Answered(Verdict::Cancel) => return self.sentence(page, "Took back "),
            ApprovalAction::Shown => {}
        }
        page.put(Paint::Strong, &self.id).put(Paint::Plain, " ").put(self.paint(), self.state).end();
        page.field("action", &self.action);
        page.field("session", &format!("{} ({})", self.session_name, self.session));
        for line in self.reason.lines() {
            page.field("reason", line);
        }
        if let Some(details) = &self.details {
            page.field("details", &details.to_string());
        }
        page.field("change set", &self.change_set);
        if let Some(content) = self.content {
            let text = match content {
                "current" => "what the session holds",
                "stale" => "the session holds something else",
                _ => "the session is gone",
            };
            page.field("content", text);
        }
        page.field("asked", &format!("{} by {}", page.when(self.created_ns), self.actor));
        if self.grants_needed > 1 {
            page.field("grants", &format!("{} are needed", self.grants_needed));
        }
        if let Some(expires) = self.expires_ns {
            page.field("expires", &page.expires(expires));
        }
        if self.freezes && self.state == "pending" {
            page.field("frozen", "until it is decided");
        }
        for answer in self.answers.iter().flatten() {
            let signed = if answer.signed { ", signed" } else { "" };
            let when = page.when(answer.time_ns);
            page.field(answer.verdict, &format!("{} by {}{signed}", when, answer.actor));
            for line in answer.message.lines() {
                page.field("", line);
            }
        }
        for change in self.changes.iter().flatten() {
            for (paint, text) in change.cells(page) {
                page.put(paint, &text).put(Paint::Plain, " ");
            }
            page.end();
        }
    }

    fn brief(&self) -> Option<String> {
        Some(match self.done {
            ApprovalAction::Shown => self.state.into(),
            _ => self.id.clone(),
        })
    }
}

impl Row for ApprovalView {
    const COLUMNS: &'static [Column] = &[
        Column("ID", Align::Left),
        Column("SESSION", Align::Left),
        Column("ACTION", Align::Left),
        Column("STATE", Align::Left),
        Column("ASKED", Align::Left),
        Column("BY", Align::Left),
        Column("REASON", Align::Left),
    ];
    const NONE: &'static str = "there are no approvals; `aether approval request` asks for one";

    fn cells(&self, page: &Page) -> Vec<(Paint, String)> {
        vec![
            (Paint::Strong, self.id.clone()),
            (Paint::Plain, self.session_name.clone()),
            (Paint::Plain, self.action.clone()),
            (self.paint(), self.state.into()),
            (Paint::Plain, page.ago(self.created_ns)),
            (Paint::Plain, self.actor.clone()),
            (Paint::Plain, self.reason.lines().next().unwrap_or_default().to_owned()),
        ]
    }

    fn brief(&self) -> String {
        self.id.clone()
    }
}
