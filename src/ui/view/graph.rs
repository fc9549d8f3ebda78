//! Sessions with what they came from, as a graph.

use serde::Serialize;

use crate::ops::names::Named;
use crate::ops::session_graph::Node;
use crate::ui::{Align, Column, Page, Paint, Row, View, draw_graph, rfc3339};

/// A state in the graph.
#[derive(Debug, Serialize)]
pub struct NodeView {
    state: String,
    id: String,
    kind: &'static str,
    parent: Option<String>,
    message: String,
    created: String,
    #[serde(skip)]
    created_ns: i64,
    #[serde(skip)]
    place: Option<usize>,
}

/// The whole graph.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct GraphView(pub Vec<NodeView>);

impl GraphView {
    /// The view of a graph.
    #[must_use]
    pub fn new(nodes: &[Node]) -> Self {
        let view = |node: &Node| {
            let (id, kind, message, created_ns) = match &node.state {
                Named::Session(session) => (session.id.clone(), "session", String::new(), session.created_ns),
                Named::Checkpoint(_, checkpoint) => {
                    let reason = checkpoint.reason.as_ref().map(|reason| format!("(before {reason})"));
                    let named = checkpoint.name.clone().or(reason).unwrap_or_default();
                    let message = if checkpoint.message.is_empty() { named } else { checkpoint.message.clone() };
                    (checkpoint.id.clone(), "checkpoint", message, checkpoint.created_ns)
                }
                Named::Commit(commit) => (commit.id.clone(), "commit", commit.message.clone(), commit.created_ns),
                Named::Revision(source, revision) => {
                    (source.id.clone(), "revision", String::new(), revision.created_ns)
                }
            };
            let parent = node.parent.and_then(|at| nodes.get(at)).map(|parent| parent.state.name());
            let (state, created) = (node.state.name(), rfc3339(created_ns));
            NodeView { state, id, kind, parent, message, created, created_ns, place: node.parent }
        };
        Self(nodes.iter().map(view).collect())
    }
}

impl Row for NodeView {
    const COLUMNS: &'static [Column] =
        &[Column("STATE", Align::Left), Column("KIND", Align::Left), Column("FROM", Align::Left)];
    const NONE: &'static str = "there are no sessions yet; `aether session create --source NAME` makes one";

    fn cells(&self, _page: &Page) -> Vec<(Paint, String)> {
        let from = self.parent.clone().unwrap_or_default();
        vec![(Paint::Strong, self.state.clone()), (Paint::Plain, self.kind.into()), (Paint::Plain, from)]
    }

    fn brief(&self) -> String {
        self.state.clone()
    }
}

impl View for GraphView {
    fn text(&self, page: &mut Page) {
        let parents: Vec<_> = self.0.iter().map(|node| node.place).collect();
        for line in draw_graph(&parents) {
            page.put(Paint::Dim, &line.lanes);
            if let Some(node) = line.node.and_then(|at| self.0.get(at)) {
                let paint = if node.kind == "session" { Paint::Strong } else { Paint::Plain };
                page.put(paint, &node.state);
                page.put(Paint::Dim, &format!("  {}, {}", node.kind, page.ago(node.created_ns)));
                if let Some(message) = node.message.lines().next() {
                    page.put(Paint::Plain, "  ").put(Paint::Plain, message);
                }
            }
            page.end();
        }
    }
}
