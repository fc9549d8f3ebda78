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

use super::error::Result;
use super::live::What;
use super::{Context, Error, blank};

/// How to go about it.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// A pack of which less than this is in use is rewritten, in per cent.
    pub live_percent: u8,
    /// For how long what was deleted is kept, in days.
    pub trash_days: u64,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default)]
pub struct GcReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// What left the trash.
    pub purged: Purged,
    /// Directories of sessions that are gone.
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
    let store = cx.store()?.clone();
    let grace_ns = i64::try_from(options.trash_days).unwrap_or(i64::MAX).saturating_mul(86_400_000_000_000);
    let before_ns = cx.now_ns.saturating_sub(grace_ns);
    let mut report = GcReport { dry_run: options.dry_run, ..GcReport::default() };
    let how = Options { dry_run: options.dry_run, live_percent: options.live_percent, ..Options::default() };
    let mut roots = |look| {
        if look == Look::First {
            report.purged = purge(cx, before_ns, options.dry_run)?;
            (report.session_dirs, report.session_bytes) = remove_left_files(cx, &report.purged, options.dry_run)?;
        }
        roots(cx, &store, &report.purged)
    };
    report.store = store.collect::<Error>(&mut roots, &how, watch)?;
    Ok(report)
}

fn purge(cx: &mut Context, before_ns: i64, dry_run: bool) -> Result<Purged> {
    let expired = cx.catalog()?.view().expired(before_ns)?;
    if dry_run || expired.is_empty() {
        return Ok(expired);
    }
    cx.write(|tx| Ok(tx.purge_expired(before_ns)?))
}

/// All that is referred to, but from rows that are to go.
fn roots(cx: &mut Context, store: &Store, going: &Purged) -> Result<Vec<ObjectId>> {
    let operations = going.operations.iter().map(i64::to_string);
    let ids = going.objects.iter().map(|found| found.id.clone());
    let going: HashSet<String> = ids.chain(operations).collect();
    let view = cx.catalog()?.view();
    let rows = view.roots()?.into_iter().filter(|found| !going.contains(&found.object_id));
    let mut roots: Vec<ObjectId> = rows.map(|found| found.root.0).collect();
    let blank = view.sessions()?.into_iter().filter(|session| session.base.root.is_none());
    let unnamed = blank::objects(blank.map(|session| session.created_ns));
    let unnamed = unnamed.into_iter().chain(mounted(cx)?.into_iter().map(|root| root.0));
    for id in unnamed {
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

/// Removes the directories of sessions that have no row, or whose row is to go; returns how many, and their bytes.
fn remove_left_files(cx: &mut Context, going: &Purged, dry_run: bool) -> Result<(u64, u64)> {
    let parent = cx.paths.data.join("sessions");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    let dirs = match fs::read_dir(&parent) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => Err(error),
    };
    let (mut count, mut bytes) = (0, 0);
    for dir in dirs.map_err(failed(&parent))? {
        let Some(id) = dir.file_name().and_then(|name| name.to_str()) else { continue };
        let is_going = going.objects.iter().any(|found| found.id == id);
        if !is_going && cx.catalog()?.view().session_is_known(id)? {
            continue;
        }
        // Whoever still has it open keeps it until the next time.
        let lock = RealDisk.open(&dir.join("lock"), Open::CreateOrWrite).map_err(failed(&dir))?;
        if !lock.try_lock().map_err(failed(&dir))? {
            continue;
        }
        count += 1;
        bytes += disk_bytes(&dir).map_err(failed(&dir))?;
        if !dry_run {
            fs::remove_dir_all(&dir).map_err(failed(&dir))?;
        }
    }
    Ok((count, bytes))
}

/// The disk space that the files below a directory take, in bytes.
///
/// # Errors
/// What the disk says.
pub(super) fn disk_bytes(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += match found.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => found.blocks() * 512,
        };
    }
    Ok(bytes)
}
