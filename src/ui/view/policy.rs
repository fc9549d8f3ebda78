//! Policies, and what they want.

use serde::Serialize;

use crate::ops::gate::Lack;
use crate::ops::policy::Checked;
use crate::ops::{Session, Source};
use crate::ui::{Align, Column, Page, Paint, Row, View};

/// The policy of a source.
#[derive(Debug, Serialize)]
pub struct PolicyView {
    source: String,
    source_name: String,
    policy: Option<String>,
    #[serde(skip)]
    is_shown: bool,
}

impl PolicyView {
    /// As it is written.
    #[must_use]
    pub fn shown(source: &Source, text: &str) -> Self {
        Self { is_shown: true, ..Self::changed(source, Some(text)) }
    }

    /// One that is new, or that was taken away.
    #[must_use]
    pub fn changed(source: &Source, text: Option<&str>) -> Self {
        let (id, name) = (source.id.clone(), source.name.clone());
        Self { source: id, source_name: name, policy: text.map(str::to_owned), is_shown: false }
    }
}

impl View for PolicyView {
    fn text(&self, page: &mut Page) {
        match (&self.policy, self.is_shown) {
            (Some(text), true) => text.lines().for_each(|line| page.line(line)),
            (policy, _) => {
                let verb = if policy.is_some() { "Set" } else { "Took away" };
                page.put(Paint::Plain, verb).put(Paint::Plain, " the policy of source ");
                page.put(Paint::Strong, &self.source_name).end();
            }
        }
    }

    fn brief(&self) -> Option<String> {
        (!self.is_shown).then(|| self.source_name.clone())
    }
}

/// What is missing for an action.
#[derive(Debug, Serialize)]
pub struct CheckedView {
    session: String,
    session_name: String,
    action: String,
    allowed: bool,
    missing: Vec<LackView>,
}

#[derive(Debug, Serialize)]
struct LackView {
    code: &'static str,
    text: String,
    hint: Option<String>,
}

impl CheckedView {
    /// The view of what is missing.
    #[must_use]
    pub fn new(session: &Session, checked: &Checked) -> Self {
        let lack = |lack: &Lack| LackView { code: lack.code(), text: lack.to_string(), hint: lack.hint() };
        Self {
            session: session.id.clone(),
            session_name: session.name.clone(),
            action: checked.action.clone(),
            allowed: checked.lacks.is_empty(),
            missing: checked.lacks.iter().map(lack).collect(),
        }
    }
}

impl Row for CheckedView {
    const COLUMNS: &'static [Column] =
        &[Column("ACTION", Align::Left), Column("", Align::Left), Column("MISSING", Align::Left)];
    const NONE: &'static str = "there are no actions";

    fn cells(&self, _: &Page) -> Vec<(Paint, String)> {
        let (paint, word) = if self.allowed { (Paint::Good, "may happen") } else { (Paint::Error, "refused") };
        let text = |lack: &LackView| match &lack.hint {
            Some(hint) => format!("{}; {hint}", lack.text),
            None => lack.text.clone(),
        };
        let missing = self.missing.iter().map(text).collect::<Vec<_>>().join("; ");
        vec![(Paint::Strong, self.action.clone()), (paint, word.into()), (Paint::Plain, missing)]
    }

    fn brief(&self) -> String {
        format!("{}\t{}", self.action, if self.allowed { "may happen" } else { "refused" })
    }
}
