//! Checking everything that is stored, and saying what damage touches.

use crate::catalog::RootRef;
use crate::model::{BytePath, ObjectId, ObjectKind};
use crate::store::verify::{Check, Verified};

pub use crate::store::verify::{BadPack, VerifyWatch};

use super::Context;
use super::error::Result;

/// How thoroughly to check.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions {
    /// Read all data, and not only what the trees consist of.
    pub read_data: bool,
    /// Of the data only so many per cent.
    pub sample_percent: u8,
}

/// How many places are named for one damaged object, and how many in all.
const MAX_TOUCHED: usize = 1_000;

/// Something that damage touches.
#[derive(Clone, Debug)]
pub struct TouchedPlace {
    /// The damaged object.
    pub object: ObjectId,
    /// What refers to it.
    pub by: RootRef,
    /// Where in its tree.
    pub path: BytePath,
}

/// A damaged object.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its name.
    pub object: ObjectId,
    /// What it is.
    pub kind: ObjectKind,
    /// What is wrong with it.
    pub why: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Packs, objects, and objects that were read.
    pub packs: u64,
    /// Objects that packs say they have.
    pub objects: u64,
    /// Objects that were read.
    pub read_objects: u64,
    /// Objects that something refers to.
    pub reached: u64,
    /// Packs that are not as they were written.
    pub bad_packs: Vec<BadPack>,
    /// Objects that something refers to and that cannot be had.
    pub broken: Vec<Broken>,
    /// What that touches.
    pub touched: Vec<TouchedPlace>,
    /// Whether there is more that it touches.
    pub more_touched: bool,
    /// What is wrong with the catalog.
    pub catalog: Vec<String>,
    /// What is wrong with the live files of sessions: name, and what.
    pub sessions: Vec<(String, String)>,
    /// Sessions that other commands have open all the time, so that their live files were not looked at.
    pub skipped: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad_packs.is_empty() && self.broken.is_empty() && self.catalog.is_empty() && self.sessions.is_empty()
    }
}

/// Checks. Sessions can be mounted and written meanwhile; collections wait.
///
/// # Errors
/// A collection runs, or the disk fails; damage is no error.
pub fn run(cx: &mut Context, options: &VerifyOptions, watch: &dyn VerifyWatch) -> Result<VerifyReport> {
    let _quiet = cx.store()?.no_collection()?;
    check(cx, options, watch)
}

/// As [`run`], for a caller who keeps collections away.
pub(super) fn check(cx: &mut Context, options: &VerifyOptions, watch: &dyn VerifyWatch) -> Result<VerifyReport> {
    let store = cx.store()?.clone();
    let mut catalog = cx.catalog()?.problems()?;
    if catalog.is_empty() {
        // What ails the catalog itself is said once.
        match cx.wrong_labels()? {
            0 => {}
            1 => catalog.push("1 label is missing or wrong: `store rebuild` would not find all names".into()),
            wrong => {
                catalog.push(format!("{wrong} labels are missing or wrong: `store rebuild` would not find all names"))
            }
        }
    }
    let mut rows = cx.catalog()?.view().roots()?;
    // What undo could bring back is mostly what others refer to as well: these are named first.
    rows.sort_by_key(|row| row.column == "undo_row");
    let roots: Vec<ObjectId> = rows.iter().map(|row| row.root.0).collect();
    let mut seed = [0; 8];
    seed.copy_from_slice(&cx.seed[..8]);
    let check =
        Check { read_data: options.read_data, sample_percent: options.sample_percent, seed: u64::from_le_bytes(seed) };
    let found = store.verify(&roots, &check, watch)?;
    let mut report = VerifyReport { catalog, ..counts(&found) };
    if !found.broken.is_empty() {
        for row in &rows {
            store.touched(row.root.0, &found.broken, &mut |place| {
                if report.touched.len() == MAX_TOUCHED {
                    report.more_touched = true;
                    return false;
                }
                report.touched.push(TouchedPlace { object: place.object, by: row.clone(), path: place.path });
                true
            });
        }
    }
    super::verify_sessions::check(cx, options.read_data, &mut report)?;
    Ok(report)
}

fn counts(found: &Verified) -> VerifyReport {
    let broken = found.broken.iter();
    VerifyReport {
        packs: found.packs,
        objects: found.objects,
        read_objects: found.read_objects,
        reached: found.reached,
        bad_packs: found.bad_packs.clone(),
        broken: broken.map(|(id, bad)| Broken { object: *id, kind: bad.kind, why: bad.why.clone() }).collect(),
        ..VerifyReport::default()
    }
}
