//! Putting new files where they belong: one rename each, and a look at what came out.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fstat, fsync, mkdirat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use crate::model::{BytePath, Kind};
use crate::ops::error::Result;

use super::place::{Place, Stamp, stat};
use super::plan::{Conflict, Old, Plan, Step, cannot};
use super::stage::{Staged, dress, slot};

/// What became of the steps.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) done: Vec<BytePath>,
    pub(super) kept: Vec<BytePath>,
    pub(super) conflicts: Vec<Conflict>,
}

enum End {
    Done,
    /// A directory that is not empty.
    Kept,
    Conflict(&'static str),
}

const CHANGED: End = End::Conflict("it was changed there just now");
const TAKEN: End = End::Conflict("something else is there");

/// Takes the steps, in an order in which each finds what it needs: files go, directories go and come, files come.
pub(super) fn publish(place: &Place, staged: &Staged, plan: &Plan) -> Result<Published> {
    let steps: Vec<(usize, &Step)> = plan.steps.iter().enumerate().collect();
    let is_dir = |step: &Step| step.new.as_ref().is_some_and(|new| new.attr.kind == Kind::Dir);
    let goes = |step: &Step| step.old.filter(|_| step.new.is_none() || step.makes_dir());
    let mut work = Work { place, staged, ends: steps.iter().map(|_| None).collect(), touched: BTreeSet::new() };
    for (at, step) in &steps {
        if let Some(old) = goes(step).filter(|old| !old.is_dir) {
            work.take(*at, step, |work, dir, name| work.remove(*at, dir, name, &old))?;
        }
    }
    // What is in a directory has a longer path.
    for (at, step) in steps.iter().rev() {
        let makes_way = step.old.is_some_and(|old| old.is_dir) && !step.only_mode && !is_dir(step);
        if makes_way {
            work.take(*at, step, |_, dir, name| remove_dir(dir, name, step.new.is_some()))?;
        }
    }
    for (at, step) in steps.iter().filter(|(_, step)| step.makes_dir()) {
        work.take(*at, step, |_, dir, name| make_dir(dir, name))?;
    }
    for (at, step) in &steps {
        if step.only_mode {
            work.take(*at, step, |work, _, _| work.change_mode(step))?;
        } else if staged.inos[*at].is_some() {
            let old = step.old.filter(|old| !old.is_dir);
            work.take(*at, step, |work, dir, name| work.put(*at, dir, name, old))?;
        }
    }
    for (at, step) in steps.iter().rev().filter(|(_, step)| step.makes_dir()) {
        work.take(*at, step, |work, _, _| work.finish_dir(step))?;
    }
    work.sync()?;
    Ok(work.published(&plan.steps))
}

struct Work<'a> {
    place: &'a Place,
    staged: &'a Staged,
    ends: Vec<Option<End>>,
    /// Directories in which names changed.
    touched: BTreeSet<BytePath>,
}

impl Work<'_> {
    /// Does one thing of a step, unless one before did not do.
    fn take(
        &mut self,
        at: usize,
        step: &Step,
        act: impl FnOnce(&Self, &OwnedFd, &[u8]) -> std::result::Result<End, Errno>,
    ) -> Result<()> {
        if matches!(self.ends[at], Some(End::Kept | End::Conflict(_))) {
            return Ok(());
        }
        let (dir, name) = match self.place.parent(&step.path) {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
                let gone = step.new.is_none();
                self.ends[at] = Some(if gone { End::Done } else { End::Conflict("its directory is not there") });
                return Ok(());
            }
            Err(errno) => return Err(cannot("opened", self.place, &step.path, errno)),
        };
        let end = act(self, &dir, name).map_err(|errno| cannot("written", self.place, &step.path, errno))?;
        self.touched.insert(step.path.parent().unwrap_or_default());
        self.ends[at] = Some(end);
        Ok(())
    }

    /// Takes a file out of the way, into the directory with the new ones, and looks at what it is.
    fn remove(&self, at: usize, dir: &OwnedFd, name: &[u8], old: &Old) -> std::result::Result<End, Errno> {
        let (slot, staged) = (format!("old-{at}"), &self.staged.dir);
        match renameat_with(dir, name, staged, &slot[..], RenameFlags::NOREPLACE) {
            Err(Errno::NOENT) => return Ok(End::Done),
            other => other?,
        }
        if stat(staged, slot.as_bytes())?.is_some_and(|out| Stamp::of(&out) == old.stamp) {
            return Ok(End::Done);
        }
        renameat_with(staged, &slot[..], dir, name, RenameFlags::NOREPLACE)?;
        Ok(CHANGED)
    }

    /// Puts a new file where it belongs.
    fn put(&self, at: usize, dir: &OwnedFd, name: &[u8], old: Option<Old>) -> std::result::Result<End, Errno> {
        let (slot, staged) = (slot(at), &self.staged.dir);
        let Some(old) = old else {
            return match renameat_with(staged, &slot[..], dir, name, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => Ok(TAKEN),
                other => other.map(|()| End::Done),
            };
        };
        let is_old = |found: Option<rustix::fs::Stat>| found.is_some_and(|found| Stamp::of(&found) == old.stamp);
        match renameat_with(staged, &slot[..], dir, name, RenameFlags::EXCHANGE) {
            Err(Errno::NOENT) => return Ok(End::Conflict("it is gone there")),
            // Not every file system can exchange two names.
            Err(Errno::INVAL | Errno::NOSYS) if is_old(stat(dir, name)?) => {
                return renameat(staged, &slot[..], dir, name).map(|()| End::Done);
            }
            Err(Errno::INVAL | Errno::NOSYS) => return Ok(CHANGED),
            other => other?,
        }
        if is_old(stat(staged, slot.as_bytes())?) {
            return Ok(End::Done);
        }
        renameat_with(staged, &slot[..], dir, name, RenameFlags::EXCHANGE)?;
        Ok(CHANGED)
    }

    fn change_mode(&self, step: &Step) -> std::result::Result<End, Errno> {
        let (Some(new), Some(old)) = (&step.new, step.old) else { return Ok(End::Done) };
        let fd = if old.is_dir { self.place.dir(&step.path)? } else { self.place.file(&step.path)? };
        let found = fstat(&fd)?;
        if found.st_ino != old.stamp.ino || !old.is_dir && Stamp::of(&found) != old.stamp {
            return Ok(CHANGED);
        }
        fchmod(&fd, Mode::from_raw_mode(new.attr.perm.into()))?;
        fsync(&fd).map(|()| End::Done)
    }

    /// A directory gets its attributes when all is in it.
    fn finish_dir(&self, step: &Step) -> std::result::Result<End, Errno> {
        let Some(new) = &step.new else { return Ok(End::Done) };
        let dir = self.place.dir(&step.path)?;
        dress(dir.as_fd(), new, None)?;
        fsync(&dir).map(|()| End::Done)
    }

    fn sync(&self) -> Result<()> {
        for path in &self.touched {
            let synced = match self.place.dir(path) {
                Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
                other => other.and_then(|dir| fsync(&dir)),
            };
            synced.map_err(|errno| cannot("synced", self.place, path, errno))?;
        }
        Ok(())
    }

    fn published(self, steps: &[Step]) -> Published {
        let mut published = Published::default();
        for (step, end) in steps.iter().zip(self.ends) {
            let path = step.path.clone();
            match end {
                Some(End::Kept) => published.kept.push(path),
                Some(End::Conflict(why)) => published.conflicts.push(Conflict { path, why }),
                Some(End::Done) | None => published.done.push(path),
            }
        }
        published
    }
}

/// `makes_way` says that something else is to be there.
fn remove_dir(dir: &OwnedFd, name: &[u8], makes_way: bool) -> std::result::Result<End, Errno> {
    match unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) if makes_way => Ok(End::Conflict("something is in it")),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(End::Kept),
        Err(Errno::NOENT) | Ok(()) => Ok(End::Done),
        Err(Errno::NOTDIR) => Ok(CHANGED),
        Err(errno) => Err(errno),
    }
}

fn make_dir(dir: &OwnedFd, name: &[u8]) -> std::result::Result<End, Errno> {
    match mkdirat(dir, name, Mode::from_raw_mode(0o700)) {
        Err(Errno::EXIST) => Ok(TAKEN),
        other => other.map(|()| End::Done),
    }
}

/// Opens a directory by its name in another one, without following a symbolic link.
pub(super) fn open_dir(dir: impl AsFd, name: &str) -> std::result::Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}
