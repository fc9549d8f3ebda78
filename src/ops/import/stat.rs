//! What `statx(2)` says of a file of the origin, as the model has it.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Statx, StatxFlags, StatxTimestamp, statx};
use rustix::io::Errno;

use crate::model::{Attr, FIRST_INO, Ino, Kind, Timestamp};

/// Numbers above this are not kept: room must be left for those that are given out.
const MAX_KEPT_INO: Ino = 1 << 62;

/// A file of the origin as it was seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ops) struct Seen {
    /// Attributes with the origin's inode number and link count; the access time is the modification time, so that
    /// reading a tree does not change what an import of it gives.
    pub(in crate::ops) attr: Attr,
    /// Device of the file system.
    pub(in crate::ops) dev: u64,
}

/// Which inode of the machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) dev: u64,
    pub(super) ino: Ino,
}

impl Seen {
    /// The state of `name` in `dir`; an empty name means `dir` itself. Symbolic links are not followed, nothing is
    /// opened, and no automount is triggered.
    pub(in crate::ops) fn at(dir: impl AsFd, name: &[u8]) -> Result<Self, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
        let found = statx(dir, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
        Self::from_statx(&found).ok_or(Errno::OPNOTSUPP)
    }

    fn from_statx(found: &Statx) -> Option<Self> {
        let kind = Kind::from_mode(u32::from(found.stx_mode))?;
        let (mtime, ctime) = (timestamp(found.stx_mtime), timestamp(found.stx_ctime));
        // Not every file system records the creation; the earlier of the others is the nearest there is.
        let recorded = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        let btime = if recorded { timestamp(found.stx_btime) } else { mtime.min(ctime) };
        let attr = Attr {
            ino: found.stx_ino,
            kind,
            perm: found.stx_mode & 0o7777,
            nlink: found.stx_nlink,
            uid: found.stx_uid,
            gid: found.stx_gid,
            rdev: if kind.is_device() { device_code(found.stx_rdev_major, found.stx_rdev_minor) } else { 0 },
            size: if matches!(kind, Kind::File | Kind::Symlink) { found.stx_size } else { 0 },
            atime: mtime,
            mtime,
            ctime,
            btime,
        };
        let dev = device(found.stx_dev_major, found.stx_dev_minor);
        Some(Self { attr, dev })
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { dev: self.dev, ino: self.attr.ino }
    }

    /// Whether the number can stay what it is, as long as no other file has it too.
    pub(super) fn keeps_ino(&self, origin_dev: u64) -> bool {
        self.dev == origin_dev && (FIRST_INO..=MAX_KEPT_INO).contains(&self.attr.ino)
    }

    /// Whether the two are states of one inode between which neither content nor attributes changed.
    pub(super) fn is_same_state(&self, other: &Self) -> bool {
        self.identity() == other.identity() && same_stamp(&self.attr, &other.attr)
    }
}

/// Whether kind, size, mtime and ctime are equal: what tells that a file was not touched.
pub(in crate::ops) fn same_stamp(a: &Attr, b: &Attr) -> bool {
    a.kind == b.kind && a.size == b.size && a.mtime == b.mtime && a.ctime == b.ctime
}

fn timestamp(time: StatxTimestamp) -> Timestamp {
    Timestamp::new(time.tv_sec, time.tv_nsec)
}

/// How [`Seen::dev`] writes a device number.
pub(super) fn device(major: u32, minor: u32) -> u64 {
    u64::from(major) << 32 | u64::from(minor)
}

/// The kernel's 32-bit encoding of a device number (`new_encode_dev` in `include/linux/kdev_t.h`).
fn device_code(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_have_the_kernels_encoding() {
        assert_eq!(device_code(1, 3), 0x0103);
        assert_eq!(device_code(259, 70_000), 0x1111_0370);
    }
}
