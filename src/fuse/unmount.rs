//! Unmounting, without ever touching what is mounted, so that a mount without a process can be taken away too.

use std::io;

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::process::geteuid;

use super::error::MountError;
use super::fusermount;
use super::holders::holders;
use super::mount::same;
use super::mountinfo::{MountEntry, MountTable};

/// How to unmount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Fail if someone uses it.
    Plain,
    /// Take it out of the tree now, and end it when the last who uses it is gone.
    Lazy,
}

/// Takes this mount away, and nothing else that may be mounted at its place.
///
/// # Errors
/// [`MountError::Busy`] names those who hold it; [`MountError::NotMounted`] when it is not there (any more).
pub fn unmount(entry: &MountEntry, how: How) -> Result<(), MountError> {
    let path = entry.mount_point.clone();
    let failed = |source: io::Error| MountError::Io { path: path.clone(), source };
    let table = MountTable::read().map_err(failed)?;
    // What is covered cannot be named by its path, and what covers it is not ours to take away.
    if !table.at(&path).is_some_and(|there| same(there, entry)) {
        return Err(MountError::NotMounted { path });
    }
    if geteuid().is_root() {
        let flags = if how == How::Lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
        match rustix::mount::unmount(&path, flags | UnmountFlags::NOFOLLOW) {
            Ok(()) => Ok(()),
            Err(Errno::BUSY) => Err(busy(entry, &table)),
            Err(Errno::INVAL) => Err(MountError::NotMounted { path }),
            Err(Errno::PERM) => Err(MountError::Denied { path }),
            Err(errno) => Err(failed(errno.into())),
        }
    } else {
        match fusermount::unmount(&path, how == How::Lazy) {
            Err(MountError::Fusermount { message }) if message.contains("busy") => Err(busy(entry, &table)),
            result => result,
        }
    }
}

fn busy(entry: &MountEntry, table: &MountTable) -> MountError {
    MountError::Busy { path: entry.mount_point.clone(), holders: holders(entry, table) }
}
