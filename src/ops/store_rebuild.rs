//! A catalog made anew from the store, when the one there was is lost or cannot be read.
//!
//! The labels beside the packs say what trees were called: sources with their revisions, sessions, checkpoints and commits
//! come back under their names and ids, and sessions with their live files, where these lie on the tree that the label
//! names. What stood in the catalog alone (events, operations, cache, messages, notes, approvals) is lost. A tree that is
//! found whole and that no label names becomes a source of its own, `recovered-1` and so on in the order in which they were
//! stored, if the labels do not tell all, or if that is asked for. What is left of the old catalog, and live files that
//! nothing fits, are put aside. Nothing is removed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{self, Catalog, Labels, NewRevision, NewSource, ObjectType, Restored, SourceKind, Tx};
use crate::model::RootId;
use crate::store::verify::Check;
use crate::store::{FoundRoot, Store};

use super::error::Result;
use super::{Context, Error, live};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// What came back under its name.
    pub restored: Restored,
    /// The names of the sources that were made of trees that no label names.
    pub sources: Vec<String>,
    /// Trees that no label names and that no source was made of: what a collection would take away.
    pub unnamed: u64,
    /// Trees of which something is missing, by the first digits of their names.
    pub damaged: Vec<String>,
    /// Lines of labels that could not be read.
    pub damaged_labels: u64,
    /// Where the old catalog and live files that do not fit are now.
    pub set_aside: Vec<PathBuf>,
}

/// Makes the catalog anew. With `unnamed`, each tree that no label names becomes a source, also where the labels tell all;
/// where there is a catalog that can be read, these are all that is added.
///
/// # Errors
/// [`Error::CatalogIsSound`] when there is one that can be read, or what the store or the disk say.
pub fn run(cx: &mut Context, unnamed: bool) -> Result<RebuildReport> {
    let data = cx.paths.data.clone();
    let is_sound = is_sound(&data);
    if is_sound && !unnamed {
        return Err(Error::CatalogIsSound { path: catalog::file_in(&data) });
    }
    let store = cx.store()?.clone();
    let _quiet = store.no_collection()?;
    let mut report = RebuildReport::default();
    let whole = whole_trees(&store, &mut report)?;
    if is_sound {
        report.sources = cx.write(|tx| {
            let made = name_the_rest(tx, &whole)?;
            let details = serde_json::json!({ "sources": made.len() });
            tx.store_event("store.rebuild", &details)?;
            Ok(made)
        })?;
        return Ok(report);
    }
    let labels = Labels::read(&data)?;
    report.damaged_labels = labels.damaged_lines;
    set_aside(&data, cx.now_ns, &labels, &mut report)?;
    // From here on the command can be run again only by hand: the catalog is there.
    let mut fresh = Catalog::begin_anew(&data)?;
    let act = cx.act();
    fresh.write::<_, Error>(&act, |tx| {
        let known: HashSet<RootId> = whole.iter().map(|found| found.id).collect();
        let newest = |id: &str| live::newest_delta(&live::session_dir(&data, id));
        report.restored = tx.restore_labels(&labels, &|root| known.contains(&root), &newest)?;
        put_misfits_aside(tx, &data, cx.now_ns, &mut report)?;
        // Labels may lack what was done last before the power failed; then a session is not where they say.
        if unnamed || labels.is_empty() || labels.damaged_lines > 0 || !report.restored.behind.is_empty() {
            report.sources = name_the_rest(tx, &whole)?;
        } else {
            report.unnamed = unnamed_trees(tx, &whole)?.len() as u64;
        }
        let Restored { sources, revisions, sessions, checkpoints, commits, .. } = report.restored;
        let details = serde_json::json!({
            "sources": sources, "revisions": revisions, "sessions": sessions, "checkpoints": checkpoints,
            "commits": commits, "unnamed_sources": report.sources.len(),
        });
        tx.store_event("store.rebuild", &details)?;
        Ok(())
    })?;
    Ok(report)
}

/// The trees that are there as a whole, the oldest first.
fn whole_trees(store: &Store, report: &mut RebuildReport) -> Result<Vec<FoundRoot>> {
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
    Ok(whole)
}

/// The trees that no row names.
fn unnamed_trees<'t>(tx: &Tx<'_>, whole: &'t [FoundRoot]) -> Result<Vec<&'t FoundRoot>> {
    let named: HashSet<RootId> = tx.view().roots()?.into_iter().map(|row| row.root).collect();
    Ok(whole.iter().filter(|found| !named.contains(&found.id)).collect())
}

/// Makes a source of each tree that no row names; returns their names.
fn name_the_rest(tx: &mut Tx<'_>, whole: &[FoundRoot]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut number = 0;
    for found in unnamed_trees(tx, whole)? {
        let name = loop {
            number += 1;
            let name = format!("recovered-{number}");
            if !tx.view().name_is_taken(ObjectType::Source, &name)? {
                break name;
            }
        };
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
}

/// Whether there is a catalog that can be read.
fn is_sound(data: &Path) -> bool {
    catalog::file_in(data).exists()
        && Catalog::open(data).and_then(|catalog| catalog.problems()).is_ok_and(|problems| problems.is_empty())
}

/// Puts what the old catalog consists of under names that nobody looks at; and all live files, if nothing tells whose they
/// are.
fn set_aside(data: &Path, now_ns: i64, labels: &Labels, report: &mut RebuildReport) -> Result<()> {
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.proof"] {
        aside(&data.join(name), &lost(data, now_ns, name), report)?;
    }
    aside(&catalog::labels_in(data), &lost(data, now_ns, "labels"), report)?;
    match labels.is_empty() {
        true => aside(&data.join("sessions"), &lost(data, now_ns, "sessions"), report),
        false => Ok(()),
    }
}

fn lost(data: &Path, now_ns: i64, name: &str) -> PathBuf {
    data.join(format!("lost-{}-{name}", now_ns.div_euclid(1_000_000_000)))
}

/// Puts live files aside that belong to no session, or do not lie on what the session stands on now.
fn put_misfits_aside(tx: &Tx<'_>, data: &Path, now_ns: i64, report: &mut RebuildReport) -> Result<()> {
    let parent = data.join("sessions");
    let entries = match fs::read_dir(&parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    for entry in entries.map_err(|source| Error::Io { path: parent.clone(), source })? {
        let name = entry.file_name();
        let id = name.to_str().unwrap_or_default();
        let fits = tx.view().session_even_deleted(id)?.is_some()
            && report.restored.behind.iter().all(|(behind, _)| behind != id);
        if !fits {
            let to = lost(data, now_ns, "sessions");
            fs::create_dir_all(&to).map_err(|source| Error::Io { path: to.clone(), source })?;
            aside(&entry.path(), &to.join(&name), report)?;
        }
    }
    Ok(())
}

fn aside(from: &Path, to: &Path, report: &mut RebuildReport) -> Result<()> {
    match fs::rename(from, to) {
        Ok(()) => report.set_aside.push(to.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::Io { path: from.to_owned(), source }),
    }
    Ok(())
}
