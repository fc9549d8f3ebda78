//! Unmounting, without ever touching what is mounted, so that a mount without a process can be taken away too.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::process::geteuid;

use super::error::MountError;
use super::fusermount;
use super::holders::holders;
use super::mount::same;
use super::mountinfo::{MountEntry, MountTable};

/// How long a mount may be busy because of somebody who cannot be found, such as a process that is just being started and
/// still has what its parent had open.
const FLEETING: Duration = Duration::from_millis(500);

/// How often it is tried meanwhile.
const LOOK: Duration = Duration::from_millis(10);

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
    let end = Instant::now() + FLEETING;
    loop {
        match unmount_once(entry, how) {
            Err(MountError::Busy { holders, .. }) if holders.is_empty() && Instant::now() < end => thread::sleep(LOOK),
            result => return result,
        }
    }
}

fn unmount_once(entry: &MountEntry, how: How) -> Result<(), MountError> {
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
