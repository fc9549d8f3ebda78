//! What a check of the store found.

use serde::Serialize;

use crate::model::ObjectKind;
use crate::ops::store_verify::{TouchedPlace, VerifyReport};
use crate::ui::{Page, Paint, View};

use super::{bytes_hex, plural};

/// What a check of the store found.
#[derive(Debug, Serialize)]
pub struct VerifyView {
    sound: bool,
    packs: u64,
    objects: u64,
    read_objects: u64,
    reached_objects: u64,
    damaged_packs: Vec<PackView>,
    damaged_objects: Vec<ObjectView>,
    touched: Vec<TouchedView>,
    more_touched: bool,
    catalog: Vec<String>,
    sessions: Vec<SessionView>,
    skipped_sessions: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PackView {
    pack: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct ObjectView {
    object: String,
    kind: &'static str,
    why: String,
}

#[derive(Debug, Serialize)]
struct TouchedView {
    object: String,
    /// What refers to it: `revision`, `checkpoint` and so on.
    by: &'static str,
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

#[derive(Debug, Serialize)]
struct SessionView {
    name: String,
    why: String,
}

impl From<&VerifyReport> for VerifyView {
    fn from(report: &VerifyReport) -> Self {
        let kind = |kind| match kind {
            ObjectKind::Chunk => "content",
            ObjectKind::Node => "tree",
        };
        let objects = report.broken.iter();
        let objects =
            objects.map(|bad| ObjectView { object: bad.object.to_hex(), kind: kind(bad.kind), why: bad.why.clone() });
        let packs = report.bad_packs.iter().map(|bad| PackView { pack: bad.name.clone(), why: bad.why.clone() });
        let sessions = report.sessions.iter();
        Self {
            sound: report.is_sound(),
            packs: report.packs,
            objects: report.objects,
            read_objects: report.read_objects,
            reached_objects: report.reached,
            damaged_packs: packs.collect(),
            damaged_objects: objects.collect(),
            touched: report.touched.iter().map(TouchedView::from).collect(),
            more_touched: report.more_touched,
            catalog: report.catalog.clone(),
            sessions: sessions.map(|(name, why)| SessionView { name: name.clone(), why: why.clone() }).collect(),
            skipped_sessions: report.skipped.clone(),
        }
    }
}

impl From<&TouchedPlace> for TouchedView {
    fn from(place: &TouchedPlace) -> Self {
        let path = place.path.as_bytes();
        Self {
            object: place.object.to_hex(),
            by: place.by.what,
            id: place.by.object_id.clone(),
            name: place.by.name.clone(),
            number: place.by.number,
            path: String::from_utf8_lossy(path).into_owned(),
            path_hex: bytes_hex(path),
        }
    }
}

impl TouchedView {
    fn holder(&self) -> String {
        match self.number {
            Some(number) => format!("{} {}@{number}", self.by, self.name),
            None => format!("{} {}", self.by, self.name),
        }
    }
}

impl View for VerifyView {
    fn text(&self, page: &mut Page) {
        let counts = format!(
            "{} in {}, {} of them read, {} in use",
            plural(self.objects, "object"),
            plural(self.packs, "pack"),
            self.read_objects,
            self.reached_objects
        );
        match self.sound {
            true => page.put(Paint::Good, "sound").put(Paint::Plain, "  ").put(Paint::Dim, &counts).end(),
            false => page.put(Paint::Error, "damaged").put(Paint::Plain, "  ").put(Paint::Dim, &counts).end(),
        };
        for bad in &self.damaged_packs {
            page.put(Paint::Error, "pack").put(Paint::Plain, &format!(" {}: {}", bad.pack, bad.why)).end();
        }
        for bad in &self.damaged_objects {
            let text = format!(" {} ({}): {}", &bad.object[..16], bad.kind, bad.why);
            page.put(Paint::Error, "object").put(Paint::Plain, &text).end();
            for place in self.touched.iter().filter(|place| place.object == bad.object) {
                let path = if place.path.is_empty() { "/" } else { &place.path };
                page.put(Paint::Plain, &format!("  {}: {path}", place.holder())).end();
            }
        }
        if self.more_touched {
            page.put(Paint::Dim, "  and more").end();
        }
        for why in &self.catalog {
            page.put(Paint::Error, "catalog").put(Paint::Plain, &format!(" {why}")).end();
        }
        for bad in &self.sessions {
            page.put(Paint::Error, "session").put(Paint::Plain, &format!(" {}: {}", bad.name, bad.why)).end();
        }
        for name in &self.skipped_sessions {
            page.put(Paint::Dim, &format!("the live files of {name} are in use and were not looked at")).end();
        }
    }
}
