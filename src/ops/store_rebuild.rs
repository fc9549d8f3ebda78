//! A catalog made anew from the store, when the one there was is lost or cannot be read.
//!
//! The store knows trees, and not what they were called. Each tree that is found whole becomes a source of its own,
//! `recovered-1` and so on in the order in which they were stored, so that it can be looked at, mounted and forked. The
//! live files of sessions lie on trees that only the old catalog named: they are put aside, and so is what is left of that
//! catalog. Nothing is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{self, Catalog, NewRevision, NewSource, SourceKind};
use crate::store::verify::Check;

use super::error::Result;
use super::{Context, Error};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// The names of the sources that were made.
    pub sources: Vec<String>,
    /// Trees of which something is missing, by the first digits of their names.
    pub damaged: Vec<String>,
    /// Where the old catalog and the live files of sessions are now.
    pub set_aside: Vec<PathBuf>,
}

/// Makes the catalog anew.
///
/// # Errors
/// [`Error::CatalogIsSound`] when there is one that can be read, or what the store or the disk say.
pub fn run(cx: &mut Context) -> Result<RebuildReport> {
    let data = cx.paths.data.clone();
    refuse_sound(&data)?;
    let store = cx.store()?.clone();
    let _quiet = store.no_collection()?;
    let mut report = RebuildReport::default();
    let found = store.find_roots()?;
    let check = Check { read_data: false, sample_percent: 0, seed: 0 };
    let ids: Vec<_> = found.iter().map(|found| found.id.0).collect();
    let broken = store.verify(&ids, &check, &())?.broken;
    let mut whole = Vec::new();
    for found in found {
        let mut is_whole = true;
        store.touched(found.id.0, &broken, &mut |_| {
            is_whole = false;
            false
        });
        match is_whole {
            true => whole.push(found),
            false => report.damaged.push(found.id.0.to_hex()[..16].to_owned()),
        }
    }
    set_aside(&data, cx.now_ns, &mut report)?;
    // From here on the command can be run again only by hand: the catalog is there.
    let mut fresh = Catalog::begin_anew(&data)?;
    let act = cx.act();
    report.sources = fresh.write::<_, Error>(&act, |tx| {
        let mut names = Vec::new();
        for (at, found) in whole.iter().enumerate() {
            let name = format!("recovered-{}", at + 1);
            let import = catalog::ImportSettings::default();
            let source =
                NewSource { name: name.clone(), kind: SourceKind::Empty, origin: None, import, scratch: Vec::new() };
            let id = tx.create_source(&source)?;
            let totals = found.root.totals;
            let revision = NewRevision {
                root: found.id,
                files: totals.files,
                dirs: totals.dirs,
                size_bytes: totals.size_bytes,
                duration_ns: 0,
                left_out: Vec::new(),
                origin_version: None,
            };
            tx.create_revision(&id, &revision)?;
            names.push(name);
        }
        Ok(names)
    })?;
    Ok(report)
}

/// Refuses when there is a catalog that can be read.
fn refuse_sound(data: &Path) -> Result<()> {
    if !catalog::file_in(data).exists() {
        return Ok(());
    }
    let is_sound = Catalog::open(data).and_then(|catalog| catalog.problems()).is_ok_and(|problems| problems.is_empty());
    if is_sound { Err(Error::CatalogIsSound { path: catalog::file_in(data) }) } else { Ok(()) }
}

/// Puts what the old catalog consists of and what only it could explain under names that nobody looks at.
fn set_aside(data: &Path, now_ns: i64, report: &mut RebuildReport) -> Result<()> {
    let seconds = now_ns.div_euclid(1_000_000_000);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.proof", "sessions"] {
        let (from, to) = (data.join(name), data.join(format!("lost-{seconds}-{name}")));
        match fs::rename(&from, &to) {
            Ok(()) => report.set_aside.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { path: from, source }),
        }
    }
    Ok(())
}
