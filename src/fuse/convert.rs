//! Between the kernel's values, as `fuser` hands them over, and the overlay's.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};

use crate::model::{Attr, Kind, Timestamp};
use crate::overlay::SetTime;

/// What `st_blksize` says, in bytes. The C library buffers by it, so it decides how many writes a program that prints
/// line by line sends us.
const PREFERRED_IO_BYTES: u32 = 64 * 1024;

/// Bytes of a block that space is accounted in.
const BLOCK_BYTES: u64 = 4096;

/// The file type of a kind.
pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Dir => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
    }
}

/// Attributes as the kernel wants them.
pub(super) fn file_attr(attr: &Attr, allocated_bytes: u64) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino),
        size: attr.size,
        blocks: allocated_bytes.div_ceil(BLOCK_BYTES) * (BLOCK_BYTES / 512),
        atime: attr.atime.into(),
        mtime: attr.mtime.into(),
        ctime: attr.ctime.into(),
        crtime: attr.btime.into(),
        kind: file_type(attr.kind),
        perm: attr.perm,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: PREFERRED_IO_BYTES,
        flags: 0,
    }
}

/// Attributes that say nothing but the inode and its kind, for `.` and `..`, of which the kernel takes no more.
pub(super) fn bare_attr(ino: u64, kind: Kind) -> FileAttr {
    file_attr(&Attr::new(ino, kind, 0, 0, 0, Timestamp::default()), 0)
}

/// The inode number that tells the kernel to remember that a name does not exist.
pub(super) fn absent_attr() -> FileAttr {
    bare_attr(0, Kind::File)
}

/// The time that the kernel sent. Before the epoch `fuser` takes the nanoseconds, which count forward, as counting
/// back: -1.25 s is sent as (-2 s, 750 ms) and arrives as the epoch minus 2.75 s. That is undone here.
pub(super) fn timestamp(sent: SystemTime) -> Timestamp {
    match sent.duration_since(UNIX_EPOCH) {
        Ok(_) => sent.into(),
        Err(error) => {
            let before = error.duration();
            let secs = i64::try_from(before.as_secs()).map_or(i64::MIN, |secs| -secs);
            Timestamp::new(secs, before.subsec_nanos())
        }
    }
}

/// A time to set.
pub(super) fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::At(timestamp(time)),
    }
}

/// The bytes of a name.
pub(super) fn bytes(name: &OsStr) -> &[u8] {
    name.as_bytes()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What `fuser` 0.18 makes of a `timespec` (`time.rs`, `system_time_from_time`).
    fn as_fuser_does(secs: i64, nanos: u32) -> SystemTime {
        if secs >= 0 {
            UNIX_EPOCH + Duration::new(secs.unsigned_abs(), nanos)
        } else {
            UNIX_EPOCH - Duration::new(secs.unsigned_abs(), nanos)
        }
    }

    #[test]
    fn times_of_any_sign_come_through_unchanged() {
        for (secs, nanos) in
            [(0, 0), (0, 1), (5, 999_999_999), (-1, 0), (-1, 1), (-2, 750_000_000), (-2_000_000_000, 999_999_999)]
        {
            assert_eq!(timestamp(as_fuser_does(secs, nanos)), Timestamp { secs, nanos });
        }
    }

    #[test]
    fn a_block_that_is_used_in_part_counts_whole() {
        let attr = Attr::new(7, Kind::File, 0o644, 1, 2, Timestamp::default());
        assert_eq!([0, 1, 4096, 4097].map(|bytes| file_attr(&attr, bytes).blocks), [0, 8, 8, 16]);
    }
}
