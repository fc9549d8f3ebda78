//! Which mounts there are: a record a mount process, in the run directory, checked against the process and mount tables.
//!
//! A record is written before the mount is made and removed after it is gone. So a mount without a record is not ours
//! to judge, and a record whose process is gone tells what there is to clean up.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fuse::{How, MountEntry, MountTable, unmount};

use super::{Failure, ProcessId, RunDir, ServeSpec, control, path_text};

/// How long another process may take to take a mount over.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(5);

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// What one mount process said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountRecord {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessId,
    /// The one that starts another in its place when it dies.
    #[serde(default)]
    pub keeper: Option<ProcessId>,
    /// What its files in the run directory are called, whoever serves by now.
    pub stem: String,
    /// Its [`ServeSpec::tag`].
    pub tag: String,
    /// Its [`ServeSpec::what`].
    pub what: Value,
    /// The data directory that it serves from.
    #[serde(with = "path_text")]
    pub data_dir: PathBuf,
    /// Where it is mounted. In the file it is where that was done; a directory above may have another name since.
    #[serde(with = "path_text")]
    pub mount_point: PathBuf,
    /// The kernel's numbers of the mount and its device, once it is mounted.
    #[serde(default)]
    pub mounted: Option<(u32, String)>,
    /// Whether the mount point goes with the mount.
    pub created_mount_point: bool,
    /// Whether changes are refused.
    pub read_only: bool,
    /// Its log.
    #[serde(with = "path_text")]
    pub log: PathBuf,
    /// Whether it reported to be ready.
    pub ready: bool,
    /// Why the program that was to take the mount over did not.
    #[serde(default)]
    pub refused: Option<Failure>,
}

/// What became of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MountState {
    /// It is being set up, or another process takes it over.
    Starting,
    /// It is mounted and served.
    Live,
    /// It is out of the tree, but served until the last who uses it is gone.
    Detached,
    /// Its process is gone; what is left has to be cleaned up.
    Dead,
}

impl MountRecord {
    pub(super) fn new(spec: &ServeSpec) -> io::Result<Self> {
        let process = ProcessId::own()?;
        Ok(Self {
            stem: format!("m-{}-{}", process.pid, process.start_ticks),
            process,
            keeper: None,
            refused: None,
            tag: spec.tag.clone(),
            what: spec.what.clone(),
            data_dir: spec.data_dir.clone(),
            mount_point: spec.mount_point.clone(),
            mounted: None,
            created_mount_point: spec.created_mount_point,
            read_only: spec.options.read_only,
            log: spec.log.clone(),
            ready: false,
        })
    }

    /// Whether it is served, or soon will be again.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.process.is_alive() || self.is_kept()
    }

    /// Whether the mount would outlive the process that serves it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keeper.as_ref().is_some_and(ProcessId::is_alive)
    }

    /// The record as it is now, after another process may have taken over; `None` if it is gone.
    #[must_use]
    pub fn again(&self, run: &RunDir) -> Option<Self> {
        let now: Self = serde_json::from_slice(&fs::read(run.join(&format!("{}.json", self.stem))).ok()?).ok()?;
        Some(Self { mount_point: self.mount_point.clone(), ..now })
    }

    /// The name of its control socket in the run directory.
    pub(super) fn socket(&self) -> String {
        format!("{}.sock", self.stem)
    }

    /// Writes the record, replacing the one before at once.
    pub(super) fn write(&self, run: &RunDir) -> Result<(), Failure> {
        let path = run.join(&format!("{}.json", self.stem));
        let partial = run.join(&format!("{}.new", self.stem));
        let failed = |error: io::Error| Failure::io(&path, &error);
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&partial).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        fs::rename(&partial, &path).map_err(failed)
    }

    /// Removes the record and the socket; what is gone already is no error.
    pub(super) fn remove(&self, run: &RunDir) {
        remove_record(run, &self.stem);
    }

    /// Its line in the mount table, if it is mounted.
    #[must_use]
    pub fn entry<'a>(&self, table: &'a MountTable) -> Option<&'a MountEntry> {
        table.at(&self.mount_point).filter(|entry| entry.tag() == Some(&self.tag))
    }

    /// What became of it.
    #[must_use]
    pub fn state(&self, table: &MountTable) -> MountState {
        match (self.is_alive(), self.ready && self.process.is_alive(), self.entry(table)) {
            (false, _, _) => MountState::Dead,
            (true, false, _) => MountState::Starting,
            (true, true, Some(_)) => MountState::Live,
            (true, true, None) => MountState::Detached,
        }
    }

    /// Talks to its process. While another one takes over, this waits a moment for it.
    ///
    /// # Errors
    /// [`Failure`] `control-unreachable`.
    pub fn connect(&self, run: &RunDir) -> Result<control::Client, Failure> {
        let end = Instant::now() + TAKE_OVER_LIMIT;
        loop {
            match control::Client::connect(run, &self.socket()) {
                Err(_) if self.is_kept() && Instant::now() < end => {
                    thread::sleep(LOOK);
                }
                result => return result,
            }
        }
    }
}

/// Removes what the run directory has under this name.
pub(super) fn remove_record(run: &RunDir, stem: &str) {
    for end in ["sock", "new", "json"] {
        let _gone = fs::remove_file(run.join(&format!("{stem}.{end}")));
    }
}

/// All records with their states, by mount point. A record that cannot be read is left out.
///
/// # Errors
/// [`Failure`] `io` when the directory or the mount table cannot be read.
pub fn mounts(run: &RunDir) -> Result<Vec<(MountRecord, MountState)>, Failure> {
    let failed = |error: io::Error| Failure::io(run.path(), &error);
    let table = MountTable::read().map_err(failed)?;
    let mut found: Vec<(MountRecord, MountState)> = records(run, &table)
        .map_err(failed)?
        .into_iter()
        .map(|record| {
            let state = record.state(&table);
            (record, state)
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.mount_point.cmp(&other.mount_point));
    Ok(found)
}

/// The mount that a path lies in, if it is ours and its process lives. The path must be as `getcwd(2)` returns it.
///
/// # Errors
/// [`Failure`] `io` when the directory or the mount table cannot be read.
pub fn mount_of(run: &RunDir, path: &Path) -> Result<Option<MountRecord>, Failure> {
    let failed = |error: io::Error| Failure::io(run.path(), &error);
    let table = MountTable::read().map_err(failed)?;
    // A bind mount of a session has its tag and device, though not its place.
    let Some(entry) = table.containing(path).filter(|entry| entry.is_ours()) else { return Ok(None) };
    let same = |record: &MountRecord| {
        record.is_alive()
            && entry.tag() == Some(&record.tag)
            && record.entry(&table).is_none_or(|own| own.device == entry.device)
    };
    Ok(records(run, &table).map_err(failed)?.into_iter().find(same))
}

/// Takes away what mount processes that are gone left behind: mounts that answer nobody, records, sockets, and mount
/// points that were made for them. Returns the records of those.
///
/// # Errors
/// [`Failure`] when a mount cannot be taken away; its record then stays.
pub fn clean_stale(run: &RunDir) -> Result<Vec<MountRecord>, Failure> {
    let failed = |error: io::Error| Failure::io(run.path(), &error);
    if !records(run, &MountTable::default()).map_err(failed)?.iter().any(|record| !record.is_alive()) {
        return Ok(Vec::new());
    }
    // Two at once could take away what a third has mounted at the same place in between.
    let _lock = run.lock().map_err(failed)?;
    let all = records(run, &MountTable::read().map_err(failed)?).map_err(failed)?;
    let (alive, dead): (Vec<_>, Vec<_>) = all.into_iter().partition(MountRecord::is_alive);
    for record in &dead {
        let claimed = alive.iter().any(|other| other.mount_point == record.mount_point);
        let table = MountTable::read().map_err(failed)?;
        if let Some(entry) = record.entry(&table).filter(|_| !claimed) {
            unmount(entry, How::Lazy)?;
        }
        if record.created_mount_point && !claimed {
            let _kept_if_used = fs::remove_dir(&record.mount_point);
        }
        record.remove(run);
    }
    Ok(dead)
}

/// Where those are mounted, by this table, whose records are not one's own. This is quick where all of them are.
///
/// # Errors
/// [`Failure`] `io` when the directory cannot be read.
pub fn places_of_others(
    run: &RunDir,
    table: &MountTable,
    is_own: impl Fn(&MountRecord) -> bool,
) -> Result<Vec<PathBuf>, Failure> {
    let mut all = written(run).map_err(|error| Failure::io(run.path(), &error))?;
    if all.iter().all(&is_own) {
        return Ok(Vec::new());
    }
    follow(&mut all, table);
    Ok(all.into_iter().filter(|record| !is_own(record)).map(|record| record.mount_point).collect())
}

/// All records, with the places where their mounts are by this table.
fn records(run: &RunDir, table: &MountTable) -> io::Result<Vec<MountRecord>> {
    let mut found = written(run)?;
    follow(&mut found, table);
    Ok(found)
}

/// All records as they were written.
fn written(run: &RunDir) -> io::Result<Vec<MountRecord>> {
    let mut found = Vec::new();
    for file in fs::read_dir(run.path())? {
        let path = file?.path();
        if path.extension().is_some_and(|end| end == "json")
            && let Ok(text) = fs::read(&path)
            && let Ok(record) = serde_json::from_slice(&text)
        {
            found.push(record);
        }
    }
    Ok(found)
}

/// Whether no record but `stem`'s has this place; `false` if that cannot be told.
pub(super) fn is_unclaimed(run: &RunDir, stem: &str, place: &Path) -> bool {
    let all = records(run, &MountTable::default());
    all.is_ok_and(|all| all.iter().all(|record| record.stem == stem || record.mount_point != place))
}

/// Finds mounts again that are at another place because a directory above has another name now. The kernel gives the
/// numbers of a mount that is gone to the next one; but that has a record with its place before it is made.
fn follow(records: &mut [MountRecord], table: &MountTable) {
    for at in 0..records.len() {
        let record = &records[at];
        if record.entry(table).is_some() {
            continue;
        }
        let Some((id, device)) = &record.mounted else { continue };
        let mut entries = table.entries().iter();
        let moved =
            entries.find(|entry| (entry.id, &entry.device) == (*id, device) && entry.tag() == Some(&record.tag));
        let unclaimed = |entry: &&MountEntry| !records.iter().any(|other| other.mount_point == entry.mount_point);
        if let Some(place) = moved.filter(unclaimed).map(|entry| entry.mount_point.clone()) {
            records[at].mount_point = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(mount_point: &str) -> MountRecord {
        MountRecord {
            process: ProcessId::own().expect("readable"),
            keeper: None,
            stem: mount_point.replace('/', "-"),
            refused: None,
            tag: "s-1".into(),
            what: Value::Null,
            data_dir: "/data".into(),
            mount_point: mount_point.into(),
            mounted: Some((40, "0:50".into())),
            created_mount_point: false,
            read_only: false,
            log: "/data/log/x".into(),
            ready: true,
        }
    }

    #[test]
    fn states_follow_from_process_and_mount_table() {
        let table = MountTable::parse(b"40 21 0:50 / /mnt/a rw - fuse.aether aether:s-1 rw\n");
        assert_eq!(record("/mnt/a").state(&table), MountState::Live);
        assert_eq!(record("/mnt/b").state(&table), MountState::Detached);
        let mut starting = record("/mnt/a");
        starting.ready = false;
        assert_eq!(starting.state(&table), MountState::Starting);
        let mut dead = record("/mnt/a");
        dead.process.start_ticks += 1;
        assert_eq!(dead.state(&table), MountState::Dead);
        dead.keeper = Some(ProcessId::own().expect("readable"));
        assert_eq!(dead.state(&table), MountState::Starting, "another one takes over");
    }

    #[test]
    fn a_mount_is_followed_to_where_its_directory_was_moved() {
        let table = MountTable::parse(b"40 21 0:50 / /mnt/new rw - fuse.aether aether:s-1 rw\n");
        let mut records = [record("/mnt/a")];
        follow(&mut records, &table);
        assert_eq!(records[0].mount_point, Path::new("/mnt/new"));
        assert_eq!(records[0].state(&table), MountState::Live);
        let mut records = [record("/mnt/a"), record("/mnt/new")];
        follow(&mut records, &table);
        assert_eq!(records[0].mount_point, Path::new("/mnt/a"), "the numbers are those of another mount by now");
        let mut records = [record("/mnt/a")];
        records[0].tag = "s-2".into();
        follow(&mut records, &table);
        assert_eq!(records[0].mount_point, Path::new("/mnt/a"), "it is another session's");
    }

    #[test]
    fn records_are_listed_and_those_of_the_dead_are_cleaned_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let run = RunDir::open(&dir.path().join("run")).expect("made");
        let alive = record("/nowhere/a");
        let mut dead = record("/nowhere/b");
        dead.process.start_ticks += 1;
        alive.write(&run).expect("written");
        dead.write(&run).expect("written");
        fs::write(run.join("broken.json"), b"{").expect("written");

        let states: Vec<_> = mounts(&run).expect("listed").into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, [MountState::Detached, MountState::Dead]);
        assert_eq!(clean_stale(&run).expect("cleaned"), [dead]);
        assert_eq!(mounts(&run).expect("listed").len(), 1);
    }
}
