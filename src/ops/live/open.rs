//! Opening a session: lock, base, journal.
//!
//! The lock of the session comes first and is held as long as the session is open, by its mount process or by a
//! command. Only then is the base looked up, so that nobody can put the session on another one in between.
//!
//! The catalog names the base and the number of the delta that lies on it, together. So a session is put on another base
//! by one transaction, which names an empty delta that is not there yet; the one before is then litter, and removed by
//! whoever opens the session next, if not at once.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::delta::{Delta, Settings};
use crate::disk::{Disk, File, Open};
use parking_lot::Mutex;

use crate::model::{Root, RootId};
use crate::ops::accelerate::{UpperDir, remove_tree, take_in};
use crate::overlay::{Overlay, Replay};
use crate::store::{Store, StoreOptions};

use super::LiveError;
use super::sealing::Sealing;

/// A session that this process has open.
#[derive(Debug)]
pub struct OpenSession {
    /// Its file system.
    pub overlay: Arc<Overlay<Store, Delta>>,
    /// What its delta lies on.
    pub base: Root,
    /// Where that and the delta are.
    pub place: SessionBase,
    pub(super) sealing: Mutex<Sealing>,
    pub(super) disk: Arc<dyn Disk>,
    /// The session's directory.
    pub(super) dir: PathBuf,
    lock: Lock,
}

/// The session's lock.
#[derive(Debug)]
enum Lock {
    /// Taken by this process.
    Own(File),
    /// Taken by a process before, and kept by whoever started this one.
    Inherited(OwnedFd),
}

/// A session that a process before this one served, which is gone while the kernel's connection goes on.
#[derive(Debug)]
pub struct Resume {
    /// The lock of the session, as [`OpenSession::lock_descriptor`] gave it.
    pub lock: OwnedFd,
    /// The connection.
    pub connection: u32,
}

/// What a session's delta lies on, as the catalog says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionBase {
    /// The frozen tree.
    pub root: RootId,
    /// The number of the delta.
    pub delta: u64,
}

/// How often a lock that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The rows of one session, as whoever opens it sees the catalog.
pub trait Standing {
    /// Why the catalog cannot be asked or told.
    type Error: From<LiveError>;

    /// What the session stands on. It is asked while the session's lock is held.
    ///
    /// # Errors
    /// The session is not there, or not to be opened.
    fn base(&mut self) -> Result<SessionBase, Self::Error>;

    /// Notes that it stands on another tree from now on, with an empty delta; says whether it does.
    ///
    /// # Errors
    /// What the catalog says.
    fn fold(&mut self, from: &SessionBase, root: RootId) -> Result<bool, Self::Error>;
}

/// The directory of a session.
#[must_use]
pub fn session_dir(data_dir: &Path, id: &str) -> PathBuf {
    data_dir.join("sessions").join(id)
}

/// The directory of a session's delta, which is there if the session was ever opened with that delta.
#[must_use]
pub fn delta_dir(session_dir: &Path, number: u64) -> PathBuf {
    match number {
        0 => session_dir.join("delta"),
        number => session_dir.join(format!("delta-{number}")),
    }
}

/// The number of the delta that a directory of this name holds.
fn delta_number(dir: &Path) -> Option<u64> {
    match dir.file_name()?.to_str()?.strip_prefix("delta")? {
        "" => Some(0),
        number => number.strip_prefix('-')?.parse().ok(),
    }
}

/// The highest number of a delta that a session's directory has.
#[must_use]
pub fn newest_delta(session_dir: &Path) -> Option<u64> {
    let dirs = crate::disk::RealDisk.list(session_dir).unwrap_or_default();
    dirs.iter().filter_map(|dir| delta_number(dir)).max()
}

/// The directories below a session's that hold deltas from before the one of this number, or what was written on top of
/// one of these: litter.
///
/// # Errors
/// What the disk says.
pub fn dead_deltas(session_dir: &Path, number: u64) -> std::io::Result<Vec<PathBuf>> {
    let mut dirs = crate::disk::RealDisk.list(session_dir)?;
    let number_of = |dir: &PathBuf| delta_number(dir).or_else(|| UpperDir::number(dir));
    dirs.retain(|dir| number_of(dir).is_some_and(|found| found < number));
    Ok(dirs)
}

/// Whether a session with the delta of this number has anything beside its tree.
#[must_use]
pub fn has_files(session_dir: &Path, number: u64) -> bool {
    delta_dir(session_dir, number).exists() || UpperDir::of(session_dir, number).is_there()
}

/// The store of a data directory.
///
/// # Errors
/// [`LiveError::Store`].
pub fn open_store(disk: &Arc<dyn Disk>, data_dir: &Path, options: StoreOptions) -> Result<Arc<Store>, LiveError> {
    Ok(Arc::new(Store::open(Arc::clone(disk), &data_dir.join("objects"), options)?))
}

/// How long one waits for a command that has a session open for a moment: to look at it, or to store it.
pub const MOMENT: Duration = Duration::from_secs(3);

/// The lock of a session whose files are not opened.
#[derive(Debug)]
pub struct SessionLock {
    _file: File,
}

impl SessionLock {
    /// Takes it, and waits for a command that has it for a moment.
    ///
    /// # Errors
    /// [`LiveError::InUse`], or what the disk says.
    pub fn take(data_dir: &Path, id: &str) -> Result<Self, LiveError> {
        let (disk, dir) = (crate::disk::RealDisk, session_dir(data_dir, id));
        let is_new = !dir.exists();
        let held = Self { _file: lock(&disk, &dir, id, MOMENT)? };
        if is_new {
            for above in dir.ancestors().skip(1).take_while(|above| above.starts_with(data_dir)) {
                disk.sync_dir(above).map_err(|source| LiveError::Io { path: above.to_owned(), source })?;
            }
        }
        Ok(held)
    }
}

/// Opens a session for this process alone. What a command wrote on top of it is taken in first. `rows` are asked once the
/// session's lock is held, which is waited for as long as `patience` says.
///
/// # Errors
/// [`LiveError::InUse`] when another process has it all that time; what the store, the delta or the disk say.
pub fn open_session<S: Standing>(
    disk: &Arc<dyn Disk>,
    data_dir: &Path,
    id: &str,
    store: &Arc<Store>,
    patience: Duration,
    rows: &mut S,
) -> Result<OpenSession, S::Error> {
    let dir = session_dir(data_dir, id);
    let mut lock = Lock::Own(lock(&**disk, &dir, id, patience)?);
    loop {
        let place = rows.base()?;
        remove_deltas(&**disk, &dir, |number| number < place.delta)?;
        let session = open_at(disk, data_dir, &dir, Arc::clone(store), place, lock)?;
        if !session.upper_dir().is_there() {
            return Ok(session);
        }
        session.take_upper(|place, root| rows.fold(&place, root))?;
        // It stands on another tree now.
        lock = session.lock;
    }
}

fn open_at(
    disk: &Arc<dyn Disk>,
    data_dir: &Path,
    dir: &Path,
    store: Arc<Store>,
    place: SessionBase,
    lock: Lock,
) -> Result<OpenSession, LiveError> {
    let base = store.root(place.root)?;
    let (delta, replay) = open_delta(disk, data_dir, &delta_dir(dir, place.delta), &base, Settings::default())?;
    delta.keep_only(replay.live())?;
    let overlay = Arc::new(replay.finish(store, Arc::new(delta)));
    Ok(OpenSession { overlay, base, place, sealing: Mutex::default(), disk: disk.clone(), dir: dir.to_owned(), lock })
}

/// Opens a session where a process before left it, without anybody else having had it in between.
///
/// # Errors
/// As [`open_session`].
pub fn resume_session<E: From<LiveError>>(
    disk: &Arc<dyn Disk>,
    data_dir: &Path,
    id: &str,
    store: Arc<Store>,
    base: impl FnOnce() -> Result<SessionBase, E>,
    before: Resume,
) -> Result<OpenSession, E> {
    let dir = session_dir(data_dir, id);
    let place = base()?;
    let base = store.root(place.root).map_err(LiveError::from)?;
    let settings = Settings { same_boot: true, ..Settings::default() };
    let (delta, replay) = open_delta(disk, data_dir, &delta_dir(&dir, place.delta), &base, settings)?;
    delta.keep_only(replay.live_when_resumed()).map_err(LiveError::from)?;
    let overlay = Arc::new(replay.resume(store, Arc::new(delta), before.connection));
    let lock = Lock::Inherited(before.lock);
    Ok(OpenSession { overlay, base, place, sealing: Mutex::default(), disk: disk.clone(), dir, lock })
}

/// Removes deltas that the catalog does not name any more, and what was written on top of them.
fn remove_deltas(disk: &dyn Disk, dir: &Path, is_litter: impl Fn(u64) -> bool) -> Result<(), LiveError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LiveError::Io { path, source }
    };
    for delta in disk.list(dir).map_err(failed(dir))? {
        if UpperDir::number(&delta).is_some_and(&is_litter)
            && let Err(error) = remove_tree(&delta)
        {
            // It takes space and does no harm.
            log::warn!("`{}` could not be removed: {error}", delta.display());
        }
        if delta_number(&delta).is_some_and(&is_litter) {
            for file in disk.list(&delta).map_err(failed(&delta))? {
                disk.remove(&file).map_err(failed(&file))?;
            }
            disk.remove_dir(&delta).map_err(failed(&delta))?;
        }
    }
    Ok(())
}

impl OpenSession {
    /// The session's lock, for a process to hold that outlives this one.
    ///
    /// # Errors
    /// When there are too many descriptors.
    pub fn lock_descriptor(&self) -> Result<Option<OwnedFd>, LiveError> {
        let lock = match &self.lock {
            Lock::Own(file) => file.descriptor(),
            Lock::Inherited(descriptor) => descriptor.try_clone().map(Some),
        };
        lock.map_err(|source| LiveError::Io { path: "lock".into(), source })
    }

    /// Where an overlay writes that lies on the session as it is with this delta.
    pub(in crate::ops) fn upper_dir(&self) -> UpperDir {
        UpperDir::of(&self.dir, self.place.delta)
    }

    /// Puts the session on the tree that it is with what an overlay wrote on top of it, if one did: `fold` says so in the
    /// catalog. Changes are refused from now on.
    ///
    /// # Errors
    /// [`LiveError::InUse`] when somebody still has the overlay; or from reading what was written, the store, or `fold`.
    /// Nothing is lost then, and it can be done again.
    pub fn take_upper<E: From<LiveError>>(
        &self,
        fold: impl FnOnce(SessionBase, RootId) -> Result<bool, E>,
    ) -> Result<(), E> {
        let upper = self.upper_dir();
        if !upper.is_there() {
            return Ok(());
        }
        let id = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let in_use = || LiveError::InUse { id: id.clone().into_owned() };
        if UpperDir::is_in_use(&id) {
            return Err(in_use().into());
        }
        self.overlay.set_read_only(true);
        upper.begin();
        let hold = self.overlay.lower().hold().map_err(LiveError::from)?;
        let lower = self.seal(|| ())?;
        // Numbers of files that are gone again are not in the tree.
        let next_ino = self.overlay.snapshot().map_err(LiveError::from)?.next_ino();
        let root = take_in(&hold, &upper, lower, next_ino)?;
        if !fold(self.place, root)? {
            return Err(in_use().into());
        }
        drop(hold);
        Ok(self.retire()?)
    }

    /// Makes changes durable as they come, and keeps the journal short, from now on.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn keep_up(&self) -> Result<(), LiveError> {
        shorten(&self.overlay);
        let overlay = Arc::downgrade(&self.overlay);
        let after_sync = move || {
            if let Some(overlay) = overlay.upgrade() {
                shorten(&overlay);
            }
        };
        Ok(self.overlay.upper().start_flusher(after_sync)?)
    }

    /// Removes the delta, now that the catalog does not name it any more.
    ///
    /// # Errors
    /// What the disk says; the next one who opens the session then does it.
    pub fn retire(&self) -> Result<(), LiveError> {
        remove_deltas(&*self.disk, &self.dir, |number| number <= self.place.delta)
    }

    /// Makes everything durable. Nothing should be changed afterwards.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(&self) -> Result<(), LiveError> {
        shorten(&self.overlay);
        Ok(self.overlay.upper().close()?)
    }
}

/// Rewrites a journal that is mostly history. One that cannot be, for want of space above all, goes on as it is.
fn shorten(overlay: &Overlay<Store, Delta>) {
    let delta = overlay.upper();
    if delta.wants_rewrite()
        && let Err(error) = overlay.compact(|dump| delta.rewrite(dump))
    {
        log::warn!("the journal could not be shortened: {error}");
    }
}

pub(super) fn lock(disk: &dyn Disk, dir: &Path, id: &str, patience: Duration) -> Result<File, LiveError> {
    let path: PathBuf = dir.join("lock");
    let failed = |source| LiveError::Io { path: path.clone(), source };
    disk.create_dir(dir).map_err(failed)?;
    let file = disk.open(&path, Open::CreateOrWrite).map_err(failed)?;
    let end = Instant::now() + patience;
    while !file.try_lock().map_err(failed)? {
        if Instant::now() >= end {
            return Err(LiveError::InUse { id: id.to_owned() });
        }
        std::thread::sleep(LOOK);
    }
    Ok(file)
}

fn open_delta(
    disk: &Arc<dyn Disk>,
    data_dir: &Path,
    dir: &Path,
    base: &Root,
    settings: Settings,
) -> Result<(Delta, Replay), LiveError> {
    let mut replay = Replay::new(base);
    let delta = match Delta::exists(&**disk, dir)? {
        true => Delta::open(disk, dir, settings, &mut |batch| {
            replay.apply(batch);
            Ok(())
        })?,
        false => {
            // Names that lead to the delta: what is promised in it must be found after a power cut.
            for above in [&data_dir.join("sessions"), data_dir] {
                disk.sync_dir(above).map_err(|source| LiveError::Io { path: above.to_owned(), source })?;
            }
            Delta::create(disk, dir, settings)?
        }
    };
    Ok((delta, replay))
}
