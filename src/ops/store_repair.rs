//! Mending the store: what is whole is taken out of damaged packs, what was lost is imported again from origins that
//! still have it, and the index is made anew. What stays damaged is named.
//!
//! Nothing that is healthy goes. No row changes: an object is named by its content, so what is stored again is what was
//! lost, or something else that nobody refers to.

use std::path::PathBuf;

use crate::catalog::{Source, SourceKind};
use crate::model::ObjectId;
use crate::store::verify::BadPack;

use super::Context;
use super::error::Result;
use super::source_import::{self, Watch};
use super::store_verify::{self, VerifyOptions, VerifyReport, VerifyWatch};

/// What came of asking an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name of the source.
    pub source: String,
    /// Lost objects that it had.
    pub objects: u64,
    /// Why it could not be asked.
    pub failed: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct RepairReport {
    /// Damaged packs, which were put here.
    pub set_aside: Vec<PathBuf>,
    /// Damaged packs that could not be read, and stay where they are.
    pub left: Vec<BadPack>,
    /// Objects that were taken out of damaged packs.
    pub rescued_objects: u64,
    /// Objects that were needed and could not be had.
    pub lost_objects: u64,
    /// Of these, objects that can be had again.
    pub restored_objects: u64,
    /// Sources whose origins were asked.
    pub asked: Vec<Asked>,
    /// What the store is like now.
    pub after: VerifyReport,
}

/// Repairs. Sessions can be mounted and written meanwhile; collections and checks wait.
///
/// # Errors
/// A collection or a check runs, the user stops it, or the disk fails; damage that stays is no error.
pub fn run(cx: &mut Context, verify: &dyn VerifyWatch, import: Watch<'_>) -> Result<RepairReport> {
    let store = cx.store()?.clone();
    let alone = store.alone()?;
    let everything = VerifyOptions { read_data: true, sample_percent: 100 };
    let before = store_verify::check(cx, &everything, verify)?;
    if cx.wrong_labels().is_ok_and(|wrong| wrong > 0) {
        cx.write_labels()?;
    }
    let rescued = store.rescue(&alone, &before.bad_packs, verify)?;
    let mut report = RepairReport {
        set_aside: rescued.set_aside,
        left: rescued.left,
        rescued_objects: rescued.objects,
        lost_objects: before.broken.len() as u64,
        ..RepairReport::default()
    };
    let mut lost: Vec<ObjectId> = before.broken.iter().map(|broken| broken.object).collect();
    let missing = |lost: &mut Vec<ObjectId>| -> Result<()> {
        let mut still = Vec::new();
        for id in lost.drain(..) {
            if !store.contains(id)? {
                still.push(id);
            }
        }
        *lost = still;
        Ok(())
    };
    missing(&mut lost)?;
    for source in sources(cx, &before)? {
        if lost.is_empty() {
            break;
        }
        let count = lost.len();
        let failed = source_import::store_again(cx, &source, import).err().map(|error| error.to_string());
        missing(&mut lost)?;
        report.asked.push(Asked { source: source.name, objects: (count - lost.len()) as u64, failed });
    }
    // What was found whole was read just now.
    let quick = VerifyOptions { read_data: false, sample_percent: 0 };
    report.after = if before.is_sound() { before } else { store_verify::check(cx, &quick, verify)? };
    report.restored_objects = report.lost_objects.saturating_sub(report.after.broken.len() as u64);
    if report.lost_objects > 0 || !report.set_aside.is_empty() {
        let details = serde_json::json!({
            "set_aside_packs": report.set_aside.len(), "lost_objects": report.lost_objects,
            "restored_objects": report.restored_objects,
        });
        cx.write(|tx| Ok(tx.store_event("store.repair", &details)?))?;
    }
    Ok(report)
}

/// The sources that have an origin: those first that the damage touches, or that touched sessions came from.
fn sources(cx: &mut Context, damage: &VerifyReport) -> Result<Vec<Source>> {
    let view = cx.catalog()?.view();
    let mut touched: Vec<String> = damage.touched.iter().map(|place| place.by.object_id.clone()).collect();
    let bases = view.sessions()?.into_iter().filter(|session| touched.contains(&session.id));
    let bases: Vec<String> = bases.filter_map(|session| session.base.source).collect();
    touched.extend(bases);
    let mut sources = view.sources()?;
    // What a session is made of is in the store, or lost.
    sources.retain(|source| source.origin.is_some() && source.kind != SourceKind::State);
    sources.sort_by_key(|source| !touched.contains(&source.id));
    Ok(sources)
}
