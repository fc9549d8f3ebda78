//! The directory that is written to: opened once, everything below it reached from there.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use crate::model::BytePath;

use super::ApplyError;

/// The top of the target.
#[derive(Debug)]
pub(super) struct Place {
    /// It, open.
    pub(super) top: OwnedFd,
    /// Where it is, without symbolic links.
    pub(super) path: PathBuf,
    /// Its own state when it was opened.
    pub(super) stat: Stat,
}

/// The inode of a target, as far as it tells that nobody touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    pub(super) ino: u64,
    pub(super) size: i64,
    pub(super) mtime: (i64, i64),
}

impl Stamp {
    /// Renaming a file changes its ctime, so that is not in it.
    pub(super) fn of(stat: &Stat) -> Self {
        Self { ino: stat.st_ino, size: stat.st_size, mtime: (stat.st_mtime, stat.st_mtime_nsec as i64) }
    }
}

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Place {
    /// Opens the top. It alone may be a symbolic link.
    pub(super) fn open(path: &Path) -> Result<Self, ApplyError> {
        let failed = |source: std::io::Error| ApplyError::Io { what: "opened", path: path.to_owned(), source };
        let real = path.canonicalize().map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = openat(CWD, &real, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let stat = fstat(&top).map_err(|errno| failed(errno.into()))?;
        Ok(Self { top, path: real, stat })
    }

    /// A directory below the top. Symbolic links and other file systems on the way are errors.
    pub(super) fn dir(&self, path: &BytePath) -> Result<OwnedFd, Errno> {
        if path.is_root() {
            return openat(&self.top, ".", DIR, Mode::empty());
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match openat2(&self.top, path.as_bytes(), DIR, Mode::empty(), resolve) {
            // Before Linux 5.6, behind a filter that does not know the call, or longer than a path may be.
            Err(Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG) => self.dir_by_names(path),
            other => other,
        }
    }

    fn dir_by_names(&self, path: &BytePath) -> Result<OwnedFd, Errno> {
        let mut dir = openat(&self.top, ".", DIR, Mode::empty())?;
        for name in path.components() {
            dir = openat(&dir, name, DIR, Mode::empty())?;
            if fstat(&dir)?.st_dev != self.stat.st_dev {
                return Err(Errno::XDEV);
            }
        }
        Ok(dir)
    }

    /// The directory that a path is in, open, and its name there.
    pub(super) fn parent<'p>(&self, path: &'p BytePath) -> Result<(OwnedFd, &'p [u8]), Errno> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        Ok((self.dir(&path.parent().unwrap_or_default())?, name))
    }

    /// What is at a path, if anything is.
    pub(super) fn stat(&self, path: &BytePath) -> Result<Option<Stat>, Errno> {
        let (dir, name) = match self.parent(path) {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        stat(&dir, name)
    }

    /// Where a symbolic link leads.
    pub(super) fn link(&self, path: &BytePath) -> Result<Vec<u8>, Errno> {
        let (dir, name) = self.parent(path)?;
        Ok(readlinkat(&dir, name, Vec::new())?.into_bytes())
    }

    /// Opens a file, without following a symbolic link and without waiting should it be a fifo by now.
    pub(super) fn file(&self, path: &BytePath) -> Result<OwnedFd, Errno> {
        let (dir, name) = self.parent(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&dir, name, flags, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&file)?.st_mode) {
            FileType::RegularFile => Ok(file),
            _ => Err(Errno::INVAL),
        }
    }

    /// A path as people know it.
    pub(super) fn full(&self, path: &BytePath) -> PathBuf {
        self.path.join(path.as_path())
    }
}

/// What has this name in a directory, if anything has.
pub(super) fn stat(dir: impl AsFd, name: &[u8]) -> Result<Option<Stat>, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
