//! Tags.

use serde::Serialize;

use crate::ops::tags::Tagged;
use crate::ui::{Align, Column, Page, Paint, Row};

/// A tag of an object.
#[derive(Debug, Serialize)]
pub struct TagView {
    kind: &'static str,
    id: String,
    name: String,
    key: String,
    value: String,
}

impl TagView {
    /// The view of a tag.
    #[must_use]
    pub fn new(tagged: &Tagged) -> Self {
        Self {
            kind: tagged.kind.word(),
            id: tagged.id.clone(),
            name: tagged.name.clone(),
            key: tagged.key.clone(),
            value: tagged.value.clone(),
        }
    }
}

impl Row for TagView {
    const COLUMNS: &'static [Column] =
        &[Column("NAME", Align::Left), Column("KIND", Align::Left), Column("TAG", Align::Left)];
    const NONE: &'static str = "no tags";

    fn cells(&self, _: &Page) -> Vec<(Paint, String)> {
        vec![(Paint::Strong, self.name.clone()), (Paint::Dim, self.kind.into()), (Paint::Plain, Row::brief(self))]
    }

    fn brief(&self) -> String {
        format!("{}={}", self.key, self.value)
    }
}
