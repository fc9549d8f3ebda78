//! Giving back what nobody refers to: rows of the trash whose time is over, files of sessions that are gone, and the
//! objects that then nothing refers to.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::Purged;
use crate::daemon::{self, RunDir};
use crate::disk::{Disk, Open, RealDisk};
use crate::model::{ObjectId, RootId};
use crate::store::Store;
use crate::store::gc::{Look, Options};

pub use crate::store::gc::{Collected, Watch};

use super::accelerate::remove_tree;
use super::error::Result;
use super::live::What;
use super::{Context, Error, blank, hooks, live, reserve};

/// How to go about it.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// A pack of which less than this is in use is rewritten, in per cent.
    pub live_percent: u8,
    /// For how long what was deleted is kept, in days.
    pub trash_days: u64,
    /// For how long the history is kept, in days; 0: for good.
    pub events_days: u64,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default)]
pub struct GcReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// What left the trash.
    pub purged: Purged,
    /// Lines that left the history.
    pub events: u64,
    /// Directories of sessions that are gone, and of deltas that no session has any more.
    pub session_dirs: u64,
    /// The disk space of their files, in bytes.
    pub session_bytes: u64,
    /// What the store did.
    pub store: Collected,
}

impl GcReport {
    /// Bytes that the disk gets back.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.session_bytes + self.store.freed_bytes()
    }
}

/// Collects. Sessions can be mounted and written meanwhile, and imports run.
///
/// # Errors
/// Another collection runs; commands that store something do not end; a tree is damaged; or what the disk says.
pub fn run(cx: &mut Context, options: &GcOptions, watch: &dyn Watch) -> Result<GcReport> {
    if !options.dry_run {
        reserve::lend(&cx.paths.data);
    }
    let store = cx.store()?.clone();
    let mut report = GcReport { dry_run: options.dry_run, ..GcReport::default() };
    let how = Options { dry_run: options.dry_run, live_percent: options.live_percent, ..Options::default() };
    let mut is_marked = false;
    let mut roots = |look| {
        if look == Look::First {
            (report.purged, report.events) = purge(cx, options)?;
            (report.session_dirs, report.session_bytes) = remove_left_files(cx, &report.purged, options.dry_run)?;
            if !options.dry_run {
                hooks::stored::remove_left(cx)?;
                cx.begin_collection()?;
                is_marked = true;
            }
        }
        let mut found = roots(cx, &store, &report.purged)?;
        if look == Look::Second {
            found.extend(cx.catalog()?.view().dropped_roots()?.into_iter().map(|root| root.0));
        }
        Ok(found)
    };
    let collected = store.collect::<Error>(&mut roots, &how, watch);
    if is_marked {
        cx.end_collection()?;
    }
    report.store = collected?;
    if !options.dry_run {
        // Those of what is gone go with it.
        cx.write_labels()?;
        reserve::keep(&cx.paths.data);
    }
    Ok(report)
}

/// The moment so many days ago.
fn days_ago(cx: &Context, days: u64) -> i64 {
    cx.now_ns.saturating_sub(i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(86_400_000_000_000))
}

/// Lets go of what was deleted, and of history, for long enough; says of what, and of how many lines.
fn purge(cx: &mut Context, options: &GcOptions) -> Result<(Purged, u64)> {
    let before_ns = days_ago(cx, options.trash_days);
    let events_ns = if options.events_days == 0 { i64::MIN } else { days_ago(cx, options.events_days) };
    let view = cx.catalog()?.view();
    let (expired, events) = (view.expired(before_ns)?, view.old_events(events_ns)?);
    if options.dry_run || expired.is_empty() && events == 0 {
        return Ok((expired, events));
    }
    cx.write(|tx| Ok((tx.purge_expired(before_ns)?, tx.prune_events(events_ns)?)))
}

/// All that is referred to, but from rows that are to go.
fn roots(cx: &mut Context, store: &Store, going: &Purged) -> Result<Vec<ObjectId>> {
    let operations = going.operations.iter().map(i64::to_string);
    let ids = going.objects.iter().map(|found| found.id.clone());
    let going: HashSet<String> = ids.chain(operations).collect();
    let rows = cx.catalog()?.view().roots()?.into_iter().filter(|found| !going.contains(&found.object_id));
    let mut roots: Vec<ObjectId> = rows.map(|found| found.root.0).collect();
    roots.extend(unnamed_roots(cx, store)?);
    Ok(roots)
}

/// What is referred to and stands in no row: the trees of sessions that began with nothing, and those that are mounted.
pub(super) fn unnamed_roots(cx: &mut Context, store: &Store) -> Result<Vec<ObjectId>> {
    let sessions = cx.catalog()?.view().sessions()?.into_iter().filter(|session| session.base.root.is_none());
    let unnamed = blank::objects(sessions.map(|session| session.created_ns));
    let mut roots = Vec::new();
    for id in unnamed.into_iter().chain(mounted(cx)?.into_iter().map(|root| root.0)) {
        // Nobody has promised that they are there.
        if store.contains(id)? {
            roots.push(id);
        }
    }
    Ok(roots)
}

/// The frozen trees that are mounted: the row that named one may be gone.
fn mounted(cx: &Context) -> Result<Vec<RootId>> {
    let Ok(run) = RunDir::open(&cx.paths.runtime) else { return Ok(Vec::new()) };
    let records = daemon::mounts(&run)?;
    let own = records.into_iter().map(|(record, _)| record).filter(|record| record.data_dir == cx.paths.data);
    Ok(own
        .filter_map(|record| match serde_json::from_value(record.what) {
            Ok(What::Tree { root }) => ObjectId::from_hex(&root).map(RootId),
            _ => None,
        })
        .collect())
}

/// Removes the directories of sessions that have no row, or whose row is to go, and those of deltas that were folded;
/// returns how many, and their bytes.
fn remove_left_files(cx: &mut Context, going: &Purged, dry_run: bool) -> Result<(u64, u64)> {
    let parent = cx.paths.data.join("sessions");
    let dirs = match fs::read_dir(&parent) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => Err(error),
    };
    let (mut count, mut bytes) = (0, 0);
    for dir in dirs.map_err(failed(&parent))? {
        let Some(id) = dir.file_name().and_then(|name| name.to_str()) else { continue };
        let is_going = going.objects.iter().any(|found| found.id == id);
        let dead = |cx: &mut Context| match cx.catalog()?.view().session_even_deleted(id)? {
            Some(session) if !is_going => live::dead_deltas(&dir, session.delta).map_err(failed(&dir)),
            _ => Ok(vec![dir.clone()]),
        };
        if dead(cx)?.is_empty() {
            continue;
        }
        // Whoever still has it open keeps it until the next time.
        let lock = RealDisk.open(&dir.join("lock"), Open::CreateOrWrite).map_err(failed(&dir))?;
        if !lock.try_lock().map_err(failed(&dir))? {
            continue;
        }
        // Again, now that nobody can put the session on another delta.
        for dir in dead(cx)? {
            count += 1;
            bytes += disk_bytes(&dir).map_err(failed(&dir))?;
            if !dry_run {
                remove_tree(&dir).map_err(failed(&dir))?;
            }
        }
    }
    Ok((count, bytes))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path: path.clone(), source }
}

/// The disk space that the files below a directory take, in bytes.
///
/// # Errors
/// What the disk says.
pub(super) fn disk_bytes(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    let entries = match fs::read_dir(dir) {
        // What a program closed to everybody, in a directory that an overlay writes to.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(0),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += match found.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => found.blocks() * 512,
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base, Catalog};
    use crate::config::Paths;

    /// Does something after the first look at the rows, and before anything is condemned.
    struct Meanwhile<'a>(&'a (dyn Fn() + Sync));

    impl Watch for Meanwhile<'_> {
        fn moving(&self, _: u64) {
            (self.0)();
        }
    }

    fn act(now_ns: i64) -> Act {
        Act { actor: "ann".into(), command: "test".into(), now_ns, seed: [now_ns as u8; 32] }
    }

    /// A tree that no row names is named by one that comes and goes while the store is collected, and read by somebody
    /// who builds upon it.
    fn named_only_in_between(come_and_go: fn(&mut Catalog, &str, [RootId; 2])) {
        let dir = tempfile::TempDir::new().unwrap();
        let data = dir.path().join("data");
        let paths = Paths { data: data.clone(), runtime: dir.path().join("run"), config_file: dir.path().join("c") };
        let mut cx = Context::new(paths, "ann".into(), "test".into(), 1, [1; 32]);
        cx.catalog().unwrap();
        let store = cx.store().unwrap().clone();
        let unnamed = blank::root(&store, 5_000_000_000).unwrap();
        let named = blank::root(&store, 7_000_000_000).unwrap();
        let base = Base { root: Some(named), ..Base::default() };
        let id = cx.write(|tx| Ok(tx.create_session("fix", &base, None)?)).unwrap();
        let meanwhile = || come_and_go(&mut Catalog::open(&data).unwrap(), &id, [unnamed, named]);
        let options = GcOptions { dry_run: false, live_percent: 60, trash_days: 30, events_days: 0 };
        let report = run(&mut cx, &options, &Meanwhile(&meanwhile)).unwrap();
        assert_eq!(report.store.pardoned_packs, 1, "{report:?}");
        cx.store().unwrap().root(unnamed).expect("what was read from the row is there");
        // When nothing comes and goes, it is collected.
        let report = run(&mut cx, &options, &()).unwrap();
        assert_eq!(report.store.pardoned_packs, 0, "{report:?}");
        assert!(!store.contains(unnamed.0).unwrap());
    }

    #[test]
    fn a_tree_that_a_fold_named_only_in_between_is_kept() {
        named_only_in_between(|catalog, id, [unnamed, named]| {
            assert!(catalog.fold_session(id, 0, unnamed).unwrap());
            assert!(catalog.fold_session(id, 1, named).unwrap());
        });
    }

    #[test]
    fn a_tree_that_left_the_trash_in_between_is_kept() {
        named_only_in_between(|catalog, _, [unnamed, _]| {
            let base = Base { root: Some(unnamed), ..Base::default() };
            catalog.write::<_, crate::catalog::Error>(&act(2), |tx| tx.create_session("gone", &base, None)).unwrap();
            let delete = |tx: &mut crate::catalog::Tx<'_>| tx.delete_session(&tx.view().session("gone")?);
            catalog.write::<_, crate::catalog::Error>(&act(3), delete).unwrap();
            let trash = catalog.view().trash().unwrap();
            catalog.write::<_, crate::catalog::Error>(&act(4), |tx| tx.purge(&trash)).unwrap();
        });
    }
}
