//! What `stat(2)` says of an inode.

use super::Timestamp;

/// An inode number. It is also the FUSE node id, and stays with the file through rename, seal, fork and remount.
pub type Ino = u64;

/// The root directory of every tree, whatever number it had where it came from (FUSE fixes it).
pub const ROOT_INO: Ino = 1;

/// The lowest number a file other than the root may have.
pub const FIRST_INO: Ino = 2;

/// The type of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    File = 1,
    Dir = 2,
    Symlink = 3,
    Fifo = 4,
    Socket = 5,
    CharDevice = 6,
    BlockDevice = 7,
}

impl Kind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 7] =
        [Self::File, Self::Dir, Self::Symlink, Self::Fifo, Self::Socket, Self::CharDevice, Self::BlockDevice];

    /// The stable number that stands for this kind on disk.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The kind in the type bits of a `st_mode`.
    #[must_use]
    pub fn from_mode(mode: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.mode_bits() == mode & 0o170_000)
    }

    /// The `S_IFMT` bits of this kind.
    #[must_use]
    pub fn mode_bits(self) -> u32 {
        match self {
            Self::File => 0o100_000,
            Self::Dir => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::CharDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
        }
    }

    /// Whether it is a character or block device.
    #[must_use]
    pub fn is_device(self) -> bool {
        matches!(self, Self::CharDevice | Self::BlockDevice)
    }
}

/// The attributes of an inode. Equal to what `stat(2)` reports, but for the block count, which the holder derives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Inode number.
    pub ino: Ino,
    /// File type.
    pub kind: Kind,
    /// Permission bits with set-uid, set-gid and sticky: the low 12 bits of `st_mode`.
    pub perm: u16,
    /// Number of names. For a directory 2 plus the number of its subdirectories.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node in the kernel's 32-bit encoding, else 0.
    pub rdev: u32,
    /// Bytes of a file; length of a symlink's target; 0 for all else.
    pub size: u64,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of content or attributes.
    pub ctime: Timestamp,
    /// Creation.
    pub btime: Timestamp,
}

impl Attr {
    /// Attributes of a new inode: one name (two for a directory), empty, all times `now`.
    #[must_use]
    pub fn new(ino: Ino, kind: Kind, perm: u16, uid: u32, gid: u32, now: Timestamp) -> Self {
        let nlink = if kind == Kind::Dir { 2 } else { 1 };
        Self {
            ino,
            kind,
            perm: perm & 0o7777,
            nlink,
            uid,
            gid,
            rdev: 0,
            size: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        }
    }

    /// The whole `st_mode`.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.kind.mode_bits() | u32::from(self.perm)
    }
}
