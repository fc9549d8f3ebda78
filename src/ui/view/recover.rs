//! What came back of a damaged session.

use serde::Serialize;

use crate::model::BytePath;
use crate::ops::session_recover::{Recovered, Recovery};
use crate::ui::{Page, Paint, View};

use super::bytes_hex;

/// Paths named in text; `--json` has all.
const NAMED: usize = 20;

/// What came back of a damaged session.
#[derive(Debug, Serialize)]
pub struct RecoveryView {
    session: String,
    session_name: String,
    damaged: bool,
    #[serde(flatten)]
    found: Option<FoundView>,
}

#[derive(Debug, Serialize)]
struct FoundView {
    dry_run: bool,
    journal: String,
    has_state: bool,
    whole_entries: u64,
    later_entries: u64,
    lost: Vec<GapView>,
    emptied: Vec<PathView>,
    rescued: Vec<PathView>,
    checkpoint: Option<String>,
    kept_in: Option<String>,
}

#[derive(Debug, Serialize)]
struct GapView {
    from_byte: u64,
    upto_byte: u64,
    entries: Option<u64>,
}

#[derive(Debug, Serialize)]
struct PathView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

impl From<&BytePath> for PathView {
    fn from(path: &BytePath) -> Self {
        let bytes = path.as_bytes();
        Self { path: String::from_utf8_lossy(bytes).into_owned(), path_hex: bytes_hex(bytes) }
    }
}

impl From<&Recovery> for RecoveryView {
    fn from(recovery: &Recovery) -> Self {
        let (session, found) = match recovery {
            Recovery::Sound(session) => (&**session, None),
            Recovery::Damaged(recovered) => (&recovered.session, Some(found(recovered))),
        };
        Self { session: session.id.clone(), session_name: session.name.clone(), damaged: found.is_some(), found }
    }
}

fn found(recovered: &Recovered) -> FoundView {
    let gap = |gap: &crate::ops::session_recover::Gap| GapView {
        from_byte: gap.from,
        upto_byte: gap.upto,
        entries: gap.entries,
    };
    FoundView {
        dry_run: recovered.kept.is_none(),
        journal: recovered.journal.display().to_string(),
        has_state: recovered.has_state,
        whole_entries: recovered.whole,
        later_entries: recovered.later,
        lost: recovered.gaps.iter().map(gap).collect(),
        emptied: recovered.emptied.iter().map(PathView::from).collect(),
        rescued: recovered.rescued.iter().map(PathView::from).collect(),
        checkpoint: recovered.checkpoint.map(|number| format!("{}@{number}", recovered.session.name)),
        kept_in: recovered.kept.as_ref().map(|path| path.display().to_string()),
    }
}

impl View for RecoveryView {
    fn text(&self, page: &mut Page) {
        let Some(found) = &self.found else {
            page.put(Paint::Strong, &self.session_name).put(Paint::Plain, " is not damaged; nothing was done").end();
            return;
        };
        page.put(Paint::Plain, if found.dry_run { "Would recover " } else { "Recovered " });
        page.put(Paint::Strong, &self.session_name);
        let state = if found.has_state {
            format!(" as it was after the first {} changes that its journal has", found.whole_entries)
        } else {
            " as its base: no state in its journal is whole".into()
        };
        page.put(Paint::Plain, &state).end();
        found.lost(page);
        paths(page, "Left empty, because its data cannot be read", &found.emptied);
        let heading = match &found.checkpoint {
            Some(checkpoint) => format!("Made behind the damage and whole, in {checkpoint}"),
            None => "Made behind the damage and whole".into(),
        };
        paths(page, &heading, &found.rescued);
        if let Some(kept) = &found.kept_in {
            page.put(Paint::Plain, "The damaged files are kept in ").put(Paint::Strong, kept).end();
        }
    }

    fn brief(&self) -> Option<String> {
        self.found.as_ref().and_then(|found| found.checkpoint.clone())
    }
}

impl FoundView {
    fn lost(&self, page: &mut Page) {
        for gap in &self.lost {
            let entries = match gap.entries {
                Some(1) => "one entry".into(),
                Some(count) => format!("{count} entries"),
                None => "an unknown number of entries".into(),
            };
            let what = format!("Lost: {entries}, bytes {} to {} of ", gap.from_byte, gap.upto_byte);
            page.put(Paint::Plain, &what).put(Paint::Plain, &self.journal).end();
        }
        if self.later_entries > 0 {
            let what = format!(
                "Behind that, {} entries can be read; what they change of older files is left out",
                self.later_entries
            );
            page.put(Paint::Plain, &what).end();
        }
    }
}

fn paths(page: &mut Page, heading: &str, paths: &[PathView]) {
    if paths.is_empty() {
        return;
    }
    page.put(Paint::Plain, heading).put(Paint::Plain, ":").end();
    for path in paths.iter().take(NAMED) {
        page.put(Paint::Plain, "  ").put(Paint::Plain, &path.path).end();
    }
    if paths.len() > NAMED {
        page.put(Paint::Dim, &format!("  and {} more", paths.len() - NAMED)).end();
    }
}
