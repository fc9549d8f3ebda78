//! What an apply is about to do, so that one that was interrupted can be cleaned up.
//!
//! Two lines of JSON: where and what, before anything is made there; and the inode numbers of the new files, before the
//! first of them is put in its place. What is found in the directory with the new files says how far it came:
//!
//! - A new file with its own number never came to its place: it goes.
//! - A file with another number came out of its place. If it is what had been compared, it goes; else somebody wrote it
//!   in that moment, and it goes back.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, RenameFlags, fchmod, flock, fsync, mkdirat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::model::BytePath;
use crate::ops::error::Result;

use super::ApplyError;
use super::place::{Place, Stamp, stat};
use super::plan::{Step, cannot};
use super::publish::open_dir;
use super::stage::{PREFIX, Staged, slot};

#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    target: Vec<u8>,
    dev: u64,
    ino: u64,
    /// The name of the directory with the new files.
    dir: String,
    steps: Vec<Noted>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    path: Vec<u8>,
    old: Option<Stamp>,
    /// The mode of a directory that is made.
    makes_dir: Option<u16>,
    /// The mode of a directory that makes way for something else.
    was_dir: Option<u16>,
}

/// The journal of the applies of one session.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens it for this process alone.
    pub(super) fn open(path: &Path) -> std::result::Result<Self, ApplyError> {
        let failed = |source| ApplyError::Io { what: "opened", path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(ApplyError::Busy),
            other => other.map_err(|errno| failed(errno.into()))?,
        }
        // The directory that leads to it, too.
        if let Some(dir) = path.parent() {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    fn failed(&self, source: std::io::Error) -> ApplyError {
        ApplyError::Io { what: "written", path: self.path.clone(), source }
    }

    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(line).map_err(|error| self.failed(error.into()))?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_all());
        Ok(written.map_err(|error| self.failed(error))?)
    }

    /// Says what is about to be done, before anything is.
    pub(super) fn begin(&mut self, place: &Place, dir: &str, steps: &[Step]) -> Result<()> {
        let noted = |step: &Step| Noted {
            path: step.path.as_bytes().to_vec(),
            old: step.old.map(|old| old.stamp),
            makes_dir: step.new.as_ref().filter(|_| step.makes_dir()).map(|new| new.attr.perm),
            was_dir: step.old.filter(|old| old.is_dir && step.new.is_some() && !step.only_mode).map(|old| old.perm),
        };
        let begun = Begun {
            target: place.path.as_os_str().as_bytes().to_vec(),
            dev: place.stat.st_dev,
            ino: place.stat.st_ino,
            dir: dir.to_owned(),
            steps: steps.iter().map(noted).collect(),
        };
        let begun = self.append(&begun);
        // A journal that could not be written tells of nothing that was done.
        begun.inspect_err(|_| drop(self.clear()))
    }

    /// Says which files are new, before the first is put in its place.
    pub(super) fn commit(&mut self, staged: &Staged) -> Result<()> {
        self.append(&staged.inos)
    }

    fn clear(&mut self) -> std::result::Result<(), ApplyError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0))).map(drop);
        cleared.and_then(|()| self.file.sync_all()).map_err(|error| self.failed(error))
    }

    /// Cleans up what is left of an apply; says whether anything was. Directories that it made and left empty go, unless it
    /// came to its end.
    pub(super) fn recover(&mut self, ended: bool) -> Result<bool> {
        let mut text = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_to_end(&mut text));
        read.map_err(|error| self.failed(error))?;
        let mut lines = text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        // A line that is not whole was not durable, so what it speaks of was not begun.
        let Some(begun) = lines.next().and_then(|line| serde_json::from_slice::<Begun>(line).ok()) else {
            self.clear()?;
            return Ok(false);
        };
        let inos: Vec<Option<u64>> =
            lines.next().and_then(|line| serde_json::from_slice(line).ok()).unwrap_or_default();
        let target = PathBuf::from(std::ffi::OsString::from_vec(begun.target.clone()));
        let place = Place::open(&target)?;
        if (place.stat.st_dev, place.stat.st_ino) != (begun.dev, begun.ino) || !begun.dir.starts_with(PREFIX) {
            return Err(ApplyError::Moved { path: target }.into());
        }
        settle(&place, &begun, &inos, ended)?;
        self.clear()?;
        Ok(true)
    }
}

/// Makes every path wholly old or wholly new, and takes the directory with the new files away.
fn settle(place: &Place, begun: &Begun, inos: &[Option<u64>], ended: bool) -> Result<()> {
    let top = BytePath::root();
    let dir = match open_dir(&place.top, &begun.dir) {
        Err(Errno::NOENT) => return Ok(()),
        other => other.map_err(|errno| cannot("opened", place, &top, errno))?,
    };
    for (at, step) in begun.steps.iter().enumerate() {
        let Ok(path) = BytePath::parse(&step.path) else { continue };
        let own = inos.get(at).copied().flatten();
        for slot in [slot(at), format!("old-{at}")] {
            let found = stat(&dir, slot.as_bytes()).map_err(|errno| cannot("looked at", place, &path, errno))?;
            let Some(found) = found else { continue };
            let is_new = slot.starts_with("new-") && (inos.is_empty() || own == Some(found.st_ino));
            if !is_new && step.old != Some(Stamp::of(&found)) {
                put_back(place, &dir, &slot, &path, own)?;
            }
            if !ended && slot.starts_with("old-") && step.makes_dir.is_some() && restored(place, &dir, &slot, &path) {
                continue;
            }
            match unlinkat(&dir, &slot[..], AtFlags::empty()) {
                Err(Errno::NOENT) | Ok(()) => {}
                Err(errno) => return Err(cannot("removed", place, &path, errno)),
            }
        }
    }
    if !ended {
        begun.steps.iter().rev().for_each(|step| settle_dir(place, step));
    }
    let removed = unlinkat(&place.top, &begun.dir[..], AtFlags::REMOVEDIR).and_then(|()| fsync(&place.top));
    removed.map_err(|errno| cannot("synced", place, &top, errno))
}

/// Puts a file back that made way for a directory in which nothing is yet.
fn restored(place: &Place, dir: &impl std::os::fd::AsFd, slot: &str, path: &BytePath) -> bool {
    let Ok((parent, name)) = place.parent(path) else { return false };
    let _full_or_gone = unlinkat(&parent, name, AtFlags::REMOVEDIR);
    renameat_with(dir, slot, &parent, name, RenameFlags::NOREPLACE).is_ok()
}

/// A directory that was made, and has not got its attributes: without anything in it, it goes, and is made again by whoever
/// goes on. One that made way, and nothing came in its place, is there again.
fn settle_dir(place: &Place, step: &Noted) {
    let Ok(path) = BytePath::parse(&step.path) else { return };
    let Ok((parent, name)) = place.parent(&path) else { return };
    let there = stat(&parent, name).ok().flatten();
    if let (Some(mode), Some(there)) = (step.makes_dir, &there)
        && FileType::from_raw_mode(there.st_mode) == FileType::Directory
        && there.st_mode & 0o7777 == 0o700
        && unlinkat(&parent, name, AtFlags::REMOVEDIR).is_err()
        && let Ok(dir) = place.dir(&path)
    {
        let _best_there_is = fchmod(&dir, Mode::from_raw_mode(mode.into()));
    }
    if let (Some(mode), None) = (step.was_dir, &there) {
        let _best_there_is = mkdirat(&parent, name, Mode::from_raw_mode(mode.into()));
    }
}

/// Puts something back that came out of its place and is not what was compared.
fn put_back(place: &Place, dir: &impl std::os::fd::AsFd, slot: &str, path: &BytePath, own: Option<u64>) -> Result<()> {
    let stuck = || ApplyError::Stuck { path: place.full(path), kept: place.path.join(slot) };
    let (parent, name) = place.parent(path).map_err(|_| stuck())?;
    let there = stat(&parent, name).map_err(|_| stuck())?;
    let flags = match there {
        None => RenameFlags::NOREPLACE,
        Some(there) if Some(there.st_ino) == own => RenameFlags::EXCHANGE,
        Some(_) => return Err(stuck().into()),
    };
    Ok(renameat_with(dir, slot, &parent, name, flags).map_err(|_| stuck())?)
}
