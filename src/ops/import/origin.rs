//! The directory that is imported: opened once, everything below reached from there without following a symbolic link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::model::BytePath;

use super::ImportError;
use super::stat::Seen;

/// The top of the origin.
#[derive(Debug)]
pub(in crate::ops) struct Origin {
    top: OwnedFd,
    /// The top's state when it was opened.
    pub(in crate::ops) seen: Seen,
    /// The path without symbolic links, as the mount table has it.
    pub(in crate::ops) real_path: PathBuf,
    uid: u32,
    has_openat2: AtomicBool,
}

const DIR_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Origin {
    /// Opens the top. It alone may be a symbolic link.
    pub(in crate::ops) fn open(path: &Path) -> Result<Self, ImportError> {
        let failed = |errno: Errno| match errno {
            Errno::NOTDIR => ImportError::NotADirectory { path: path.to_owned() },
            errno => ImportError::Origin { path: path.to_owned(), source: errno.into() },
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = openat(CWD, path, flags, Mode::empty()).map_err(failed)?;
        let seen = Seen::at(&top, b"").map_err(failed)?;
        let real_path = path.canonicalize().map_err(|source| ImportError::Origin { path: path.to_owned(), source })?;
        let uid = rustix::process::geteuid().as_raw();
        Ok(Self { top, seen, real_path, uid, has_openat2: AtomicBool::new(true) })
    }

    /// Opens a directory below the top for listing. A symbolic link anywhere on the way is an error.
    pub(in crate::ops) fn open_dir(&self, path: &BytePath) -> Result<OwnedFd, Errno> {
        if path.is_root() {
            return openat(&self.top, ".", DIR_FLAGS, Mode::empty());
        }
        if self.has_openat2.load(Ordering::Relaxed) {
            let resolve = ResolveFlags::NO_SYMLINKS;
            match openat2(&self.top, path.as_bytes(), DIR_FLAGS, Mode::empty(), resolve) {
                // Before Linux 5.6, or behind a filter that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => self.has_openat2.store(false, Ordering::Relaxed),
                // Longer than a path may be: component by component there is no limit.
                Err(Errno::NAMETOOLONG) => {}
                other => return other,
            }
        }
        let mut dir: Option<OwnedFd> = None;
        for name in path.components() {
            let above = dir.as_ref().map_or(self.top.as_fd(), AsFd::as_fd);
            dir = Some(openat(above, name, DIR_FLAGS, Mode::empty())?);
        }
        dir.ok_or(Errno::INVAL)
    }

    /// Opens a file for reading, without following a symbolic link, without waiting should it have become a fifo, and
    /// without touching its access time where that is allowed.
    pub(in crate::ops) fn open_file(&self, dir: BorrowedFd<'_>, name: &[u8], owner: u32) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if self.uid == 0 || self.uid == owner {
            match openat(dir, name, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => {}
                other => return other,
            }
        }
        openat(dir, name, flags, Mode::empty())
    }
}
