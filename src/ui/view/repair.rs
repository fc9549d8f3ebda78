//! What a repair did.

use serde::Serialize;

use crate::ops::store_repair::RepairReport;
use crate::ui::{Page, Paint, View};

use super::{VerifyView, path_text, plural};

/// What a repair did, and what is damaged still.
#[derive(Debug, Serialize)]
pub struct RepairView {
    set_aside: Vec<String>,
    left_packs: Vec<LeftView>,
    rescued_objects: u64,
    lost_objects: u64,
    restored_objects: u64,
    origins: Vec<OriginView>,
    after: VerifyView,
}

#[derive(Debug, Serialize)]
struct LeftView {
    pack: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct OriginView {
    source: String,
    restored_objects: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<&RepairReport> for RepairView {
    fn from(report: &RepairReport) -> Self {
        let left = report.left.iter().map(|bad| LeftView { pack: bad.name.clone(), why: bad.why.clone() });
        let origins = report.asked.iter().map(|asked| OriginView {
            source: asked.source.clone(),
            restored_objects: asked.objects,
            error: asked.failed.clone(),
        });
        Self {
            set_aside: report.set_aside.iter().map(|path| path_text(path)).collect(),
            left_packs: left.collect(),
            rescued_objects: report.rescued_objects,
            lost_objects: report.lost_objects,
            restored_objects: report.restored_objects,
            origins: origins.collect(),
            after: VerifyView::from(&report.after),
        }
    }
}

impl View for RepairView {
    fn text(&self, page: &mut Page) {
        if self.lost_objects > 0 {
            let text = format!("{} of {} lost objects were restored", self.restored_objects, self.lost_objects);
            page.put(Paint::Strong, &text).end();
        }
        for path in &self.set_aside {
            page.put(Paint::Plain, "set aside ").put(Paint::Plain, path).end();
        }
        for left in &self.left_packs {
            page.put(Paint::Error, "pack").put(Paint::Plain, &format!(" {} stays: {}", left.pack, left.why)).end();
        }
        for origin in &self.origins {
            match &origin.error {
                Some(error) => page.put(Paint::Warning, &format!("source {}: {error}", origin.source)).end(),
                None => {
                    let text = format!("source {} had {}", origin.source, plural(origin.restored_objects, "object"));
                    page.put(Paint::Dim, &text).end();
                }
            }
        }
        self.after.text(page);
    }
}
