//! What is to be done at each path, and where somebody else was first.

use std::collections::BTreeMap;
use std::io::Read;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use crate::model::{Attr, BytePath, ChangeKind, Kind};
use crate::ops::changes::{Change, Sides, SnapshotEntry, TreeView};
use crate::ops::error::Result;
use crate::ops::live::LiveError;
use crate::overlay::SnapshotBody;

use super::links::{self, LinkTo};
use super::place::{Place, Stamp};
use super::{Applied, ApplyError};

/// A path that is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: BytePath,
    /// Why: half a sentence.
    pub why: &'static str,
}

/// What is to be done at one path.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) path: BytePath,
    /// What is there now, which makes way.
    pub(super) old: Option<Old>,
    /// What is to be there.
    pub(super) new: Option<SnapshotEntry>,
    /// Only the permissions change.
    pub(super) only_mode: bool,
    /// What the new file is another name of.
    pub(super) link: Option<LinkTo>,
}

impl Step {
    fn new(path: &BytePath, old: Option<Old>, new: Option<SnapshotEntry>) -> Self {
        Self { path: path.clone(), old, new, only_mode: false, link: None }
    }

    /// Whom a new file is to belong to, if that is not what the session says.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        self.old.filter(|old| !old.is_dir).map(|old| old.owner)
    }

    /// Whether a directory comes to be.
    pub(super) fn makes_dir(&self) -> bool {
        !self.only_mode && self.new.as_ref().is_some_and(|new| new.attr.kind == Kind::Dir)
    }
}

/// What is at a path, proven to be what it was when it was imported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old {
    pub(super) stamp: Stamp,
    pub(super) is_dir: bool,
    pub(super) perm: u16,
    pub(super) owner: (u32, u32),
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In the order of the paths.
    pub(super) steps: Vec<Step>,
    already: Vec<BytePath>,
    conflicts: Vec<Conflict>,
}

impl Plan {
    /// What comes of it if all goes well.
    pub(super) fn into_applied(self) -> Applied {
        let done = self.steps.into_iter().map(|step| step.path).collect();
        Applied { done, already: self.already, conflicts: self.conflicts, ..Applied::default() }
    }
}

/// Compares every target with what it was.
pub(super) fn plan(place: &Place, changes: &[Change], sides: Sides<'_>) -> Result<Plan> {
    let mut plan = Plan::default();
    for (path, (old, new)) in by_path(changes) {
        // Where a file is now there may be a directory by then.
        let is_made = plan.steps.iter().any(|step| step.makes_dir() && path.starts_with(&step.path));
        match step(place, sides, &path, (old, new), is_made)? {
            Verdict::Step(step) => plan.steps.push(*step),
            Verdict::Already => plan.already.push(path),
            Verdict::Conflict(why) => plan.conflicts.push(Conflict { path, why }),
        }
    }
    links::find(place, &mut plan.steps, sides)?;
    Ok(plan)
}

type Pair<'a> = (Option<&'a SnapshotEntry>, Option<&'a SnapshotEntry>);

/// What each path has before and after; a rename is two paths.
fn by_path(changes: &[Change]) -> BTreeMap<BytePath, Pair<'_>> {
    let mut paths: BTreeMap<BytePath, Pair<'_>> = BTreeMap::new();
    for change in changes {
        match &change.kind {
            ChangeKind::Renamed { from } => {
                paths.entry(from.clone()).or_default().0 = change.old.as_ref();
                paths.entry(change.path.clone()).or_default().1 = change.new.as_ref();
            }
            _ => {
                let pair = paths.entry(change.path.clone()).or_default();
                *pair = (change.old.as_ref().or(pair.0), change.new.as_ref().or(pair.1));
            }
        }
    }
    paths
}

enum Verdict {
    Step(Box<Step>),
    Already,
    Conflict(&'static str),
}

fn step(place: &Place, sides: Sides<'_>, path: &BytePath, (old, new): Pair<'_>, is_made: bool) -> Result<Verdict> {
    let found = match place.stat(path) {
        Ok(found) => found,
        Err(Errno::NOTDIR | Errno::LOOP) if is_made => None,
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Verdict::Conflict("a directory on the way is none there")),
        Err(Errno::XDEV) => return Ok(Verdict::Conflict("it is on another file system")),
        Err(errno) => return Err(cannot("looked at", place, path, errno)),
    };
    let Some(found) = found else {
        return Ok(match (old, new) {
            (_, None) => Verdict::Already,
            (Some(_), Some(_)) => Verdict::Conflict("it is gone there"),
            (None, Some(new)) => make(path, None, new),
        });
    };
    let wanted =
        new.map(|new| SnapshotEntry { attr: Attr { perm: mode(&found, old, new), ..new.attr.clone() }, ..new.clone() });
    let has_mode = |new: &SnapshotEntry| new.attr.kind == Kind::Symlink || perm(&found) == new.attr.perm;
    if let Some(new) = &wanted
        && has_mode(new)
        && same(place, path, &found, new, sides.new, false)?
    {
        return Ok(Verdict::Already);
    }
    // A directory is nobody's.
    if old.is_none() && new.is_some_and(|new| new.attr.kind == Kind::Dir) && is_dir(&found) {
        return Ok(Verdict::Already);
    }
    let Some(old) = old else { return Ok(Verdict::Conflict("something else is there")) };
    if !same(place, path, &found, old, sides.old, true)? {
        return Ok(Verdict::Conflict("it was changed there"));
    }
    let was_dir = old.attr.kind == Kind::Dir;
    let was = Old { stamp: Stamp::of(&found), is_dir: was_dir, perm: perm(&found), owner: owner_of(&found) };
    let Some(new) = wanted else {
        return Ok(Verdict::Step(Step::new(path, Some(was), None).into()));
    };
    if (was_dir && new.attr.kind == Kind::Dir) || same(place, path, &found, &new, sides.new, false)? {
        let step = Step { only_mode: true, ..Step::new(path, Some(was), Some(new)) };
        return Ok(Verdict::Step(step.into()));
    }
    Ok(make(path, Some(was), &new))
}

/// The permissions that a path is to have: those that it has there, with the bits that we changed.
fn mode(found: &Stat, old: Option<&SnapshotEntry>, new: &SnapshotEntry) -> u16 {
    match old.filter(|old| old.attr.kind == new.attr.kind) {
        Some(old) => {
            let (added, removed) = (new.attr.perm & !old.attr.perm, old.attr.perm & !new.attr.perm);
            (perm(found) | added) & !removed
        }
        None => new.attr.perm,
    }
}

fn make(path: &BytePath, old: Option<Old>, new: &SnapshotEntry) -> Verdict {
    match new.attr.kind {
        Kind::Socket | Kind::CharDevice | Kind::BlockDevice => Verdict::Conflict("it is a device or socket"),
        _ => Verdict::Step(Step::new(path, old, Some(new.clone())).into()),
    }
}

/// Whether what is there is of this kind and content. A file whose number, size and times are those of the import
/// (`by_stamp`) was not touched since.
fn same(
    place: &Place,
    path: &BytePath,
    found: &Stat,
    entry: &SnapshotEntry,
    view: &dyn TreeView,
    by_stamp: bool,
) -> Result<bool> {
    let kind = FileType::from_raw_mode(found.st_mode);
    Ok(match &entry.body {
        SnapshotBody::Dir(_) => kind == FileType::Directory,
        SnapshotBody::Symlink(target) => {
            kind == FileType::Symlink
                && place.link(path).map_err(|errno| cannot("read", place, path, errno))? == target[..]
        }
        SnapshotBody::Special => {
            let same_kind = kind == FileType::Fifo && entry.attr.kind == Kind::Fifo;
            same_kind || kind == FileType::Socket && entry.attr.kind == Kind::Socket
        }
        SnapshotBody::File(_) => {
            kind == FileType::RegularFile
                && found.st_size as u64 == entry.attr.size
                && (by_stamp && untouched(found, entry) || same_bytes(place, path, entry, view)?)
        }
    })
}

fn untouched(found: &Stat, entry: &SnapshotEntry) -> bool {
    let (mtime, ctime) = (entry.attr.mtime, entry.attr.ctime);
    found.st_ino == entry.attr.ino
        && (found.st_mtime, found.st_mtime_nsec as u32) == (mtime.secs, mtime.nanos)
        && (found.st_ctime, found.st_ctime_nsec as u32) == (ctime.secs, ctime.nanos)
}

fn same_bytes(place: &Place, path: &BytePath, entry: &SnapshotEntry, view: &dyn TreeView) -> Result<bool> {
    const PIECE_BYTES: usize = 256 << 10;
    let file = place.file(path).map_err(|errno| cannot("read", place, path, errno))?;
    let mut file = std::fs::File::from(file);
    let (mut there, mut here) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut at = 0;
    loop {
        let count = view.read(entry, at, &mut here).map_err(LiveError::from)?;
        let failed = |source| ApplyError::Io { what: "read", path: place.full(path), source };
        match file.read_exact(&mut there[..count]) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            other => other.map_err(failed)?,
        }
        if there[..count] != here[..count] {
            return Ok(false);
        }
        at += count as u64;
        if count == 0 || at >= entry.attr.size {
            return Ok(file.read(&mut there[..1]).map_err(failed)? == 0);
        }
    }
}

fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Whether a file that is there has the content of an entry.
pub(super) fn holds_same(
    place: &Place,
    path: &BytePath,
    found: &Stat,
    entry: &SnapshotEntry,
    view: &dyn TreeView,
) -> Result<bool> {
    same(place, path, found, entry, view, true)
}

pub(super) fn owner_of(stat: &Stat) -> (u32, u32) {
    (stat.st_uid, stat.st_gid)
}

pub(super) fn perm(stat: &Stat) -> u16 {
    (stat.st_mode & 0o7777) as u16
}

/// An error of the system with a path of the target.
pub(super) fn cannot(what: &'static str, place: &Place, path: &BytePath, errno: Errno) -> crate::ops::Error {
    ApplyError::Io { what, path: place.full(path), source: errno.into() }.into()
}
