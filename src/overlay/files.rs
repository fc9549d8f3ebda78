//! The operations of a file system, as the kernel asks for them by inode number.
//!
//! There are no file handles: a handle would have to be remembered across a change of the serving process, and the
//! kernel does not send OPEN at all. Permission checks are the kernel's (`default_permissions`); what depends on the
//! caller beyond them (sticky bits, set-gid clearing) is decided here with [`Caller`].

use std::sync::Arc;

use bitflags::bitflags;

use crate::model::{Attr, Ino, Kind, Timestamp};

use super::Error;

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// File-system user id.
    pub uid: u32,
    /// File-system group id.
    pub gid: u32,
    /// The permission bits that are not given to what is made, unless the directory has a default ACL.
    pub umask: u16,
    /// The time that the operation happens at.
    pub now: Timestamp,
    /// The kernel's number of the request, if doing it twice would not be the same as doing it once; else 0.
    pub request: u64,
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The time of the operation.
    Now,
    /// This time.
    At(Timestamp),
}

/// Attributes to change; `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SetAttr {
    pub perm: Option<u16>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<SetTime>,
    pub mtime: Option<SetTime>,
    pub ctime: Option<Timestamp>,
    /// Of what is no directory, also clear set-uid, and set-gid where the group may execute: it changes owner, or someone
    /// who must not keep them set changes its content. With nothing else set, this is all there is to do.
    pub kill_priv: bool,
}

/// One entry of a directory listing.
#[derive(Debug)]
pub struct DirEntry<'a> {
    /// The inode.
    pub ino: Ino,
    /// Its kind.
    pub kind: Kind,
    /// The name; `.` and `..` are listed too.
    pub name: &'a [u8],
    /// Where a later listing goes on after this entry. It stays valid while entries come and go.
    pub cookie: u64,
    /// Attributes, when asked for; never for `.` and `..`.
    pub attr: Option<&'a Attr>,
    /// Bytes of disk that a file takes; nothing for all else.
    pub allocated_bytes: u64,
}

bitflags! {
    /// How a rename treats what is there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RenameMode: u32 {
        /// Fail if the new name exists (`RENAME_NOREPLACE`).
        const NO_REPLACE = 1;
        /// Swap the two (`RENAME_EXCHANGE`).
        const EXCHANGE = 2;
        /// Leave a whiteout device behind (`RENAME_WHITEOUT`).
        const WHITEOUT = 4;
    }

    /// What `fallocate(2)` is to do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Falloc: u32 {
        /// Do not change the size.
        const KEEP_SIZE = 0x01;
        /// Make a hole.
        const PUNCH_HOLE = 0x02;
        /// Make zeros.
        const ZERO_RANGE = 0x10;
    }

    /// `access(2)` bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u8 {
        /// Execute or search.
        const X = 1;
        /// Write.
        const W = 2;
        /// Read.
        const R = 4;
    }
}

/// What to look for in a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Whence {
    Data,
    Hole,
}

/// How `setxattr(2)` treats an attribute that is, or is not, there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrMode {
    /// Either way.
    Set,
    /// `XATTR_CREATE`.
    Create,
    /// `XATTR_REPLACE`.
    Replace,
}

/// What `statfs(2)` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Space {
    pub block_bytes: u32,
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub inodes: u64,
    pub inodes_free: u64,
}

/// The operations. Every method can be called from many threads at once.
///
/// `lookup`, `mknod`, `mkdir`, `symlink`, `link`, and each entry that `read_dir` reports with attributes and whose
/// callback returns `true`, count as one look-up of the inode for `forget`.
#[allow(missing_docs)]
pub trait Files: Send + Sync + 'static {
    /// # Errors
    /// [`Error::NotFound`] when the directory has no such name.
    fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, Error>;
    /// The kernel dropped `count` look-ups of the inode.
    fn forget(&self, ino: Ino, count: u64);
    /// Whether a request with this number ([`Caller::request`]) was done by a process before this one, on the same
    /// connection, and the inode that its answer is about; 0 if it is about none.
    fn served(&self, request: u64) -> Option<Ino> {
        let _ = request;
        None
    }
    /// Answers for an inode which the kernel was to be told of by the process before: counts as a look-up.
    ///
    /// # Errors
    /// As [`Self::getattr`].
    fn recall(&self, ino: Ino) -> Result<Attr, Error> {
        self.getattr(ino)
    }
    /// Inodes without a name of which only the kernel knows whether it holds them, since it was told of them by the process
    /// before. Each is returned once; the kernel is to be asked, and [`Self::not_held`] to be called if it does not.
    fn doubtful(&self) -> Vec<Ino> {
        Vec::new()
    }
    /// The kernel does not hold this inode.
    fn not_held(&self, ino: Ino) {
        let _ = ino;
    }
    /// # Errors
    /// [`Error::Stale`] for an inode that is not there.
    fn getattr(&self, ino: Ino) -> Result<Attr, Error>;
    /// Bytes of disk that a file takes, its holes left out; nothing for all else.
    ///
    /// # Errors
    /// As [`Self::getattr`].
    fn allocated_bytes(&self, ino: Ino) -> Result<u64, Error>;
    /// # Errors
    /// As the system calls behind it.
    fn setattr(&self, caller: Caller, ino: Ino, set: &SetAttr) -> Result<Attr, Error>;
    /// # Errors
    /// [`Error::Invalid`] for what is no symlink.
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>, Error>;
    /// Makes a file, fifo, socket or device node.
    ///
    /// # Errors
    /// As `mknod(2)`.
    fn mknod(&self, caller: Caller, parent: Ino, name: &[u8], kind: Kind, perm: u16, rdev: u32) -> Result<Attr, Error>;
    /// # Errors
    /// As `mkdir(2)`.
    fn mkdir(&self, caller: Caller, parent: Ino, name: &[u8], perm: u16) -> Result<Attr, Error>;
    /// # Errors
    /// As `symlink(2)`.
    fn symlink(&self, caller: Caller, parent: Ino, name: &[u8], target: &[u8]) -> Result<Attr, Error>;
    /// # Errors
    /// As `link(2)`.
    fn link(&self, caller: Caller, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr, Error>;
    /// # Errors
    /// As `unlink(2)`.
    fn unlink(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error>;
    /// # Errors
    /// As `rmdir(2)`.
    fn rmdir(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error>;
    /// # Errors
    /// As `renameat2(2)`.
    fn rename(&self, caller: Caller, from: (Ino, &[u8]), to: (Ino, &[u8]), mode: RenameMode) -> Result<(), Error>;
    /// Reads up to `buf.len()` bytes; fewer only at the end of the file. Returns the count.
    ///
    /// # Errors
    /// As `pread(2)`.
    fn read(&self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize, Error>;
    /// Writes all of `bytes`. `kill_priv` also clears set-uid and set-gid, as a write by an unprivileged caller must.
    ///
    /// # Errors
    /// As `pwrite(2)`.
    fn write(&self, caller: Caller, ino: Ino, offset: u64, bytes: &[u8], kill_priv: bool) -> Result<(), Error>;
    /// # Errors
    /// As `fallocate(2)`.
    fn fallocate(&self, caller: Caller, ino: Ino, offset: u64, len_bytes: u64, how: Falloc) -> Result<(), Error>;
    /// # Errors
    /// [`Error::NoData`] as `lseek(2)` has `ENXIO`.
    fn seek(&self, ino: Ino, offset: u64, what: Whence) -> Result<u64, Error>;
    /// Copies inside the file system; returns the bytes copied, fewer at the end of the source.
    ///
    /// # Errors
    /// As `copy_file_range(2)`.
    fn copy_range(&self, caller: Caller, from: (Ino, u64), to: (Ino, u64), len_bytes: u64) -> Result<u64, Error>;
    /// Lists from after `cookie` (0: from the start) until the callback returns `false`, which leaves that entry out.
    ///
    /// # Errors
    /// As `getdents(2)`.
    fn read_dir(
        &self,
        ino: Ino,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Error>;
    /// The value, shared, so that the caller decides about its size.
    ///
    /// # Errors
    /// [`Error::NoAttr`] when the inode has no such attribute.
    fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Arc<[u8]>, Error>;
    /// # Errors
    /// As `setxattr(2)`.
    fn setxattr(&self, caller: Caller, ino: Ino, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Error>;
    /// The names.
    ///
    /// # Errors
    /// As `listxattr(2)`.
    fn listxattr(&self, ino: Ino) -> Result<Vec<Box<[u8]>>, Error>;
    /// # Errors
    /// [`Error::NoAttr`] when the inode has no such attribute.
    fn removexattr(&self, caller: Caller, ino: Ino, name: &[u8]) -> Result<(), Error>;
    /// Makes the file, or a directory's names, durable, with the names that lead to it.
    ///
    /// # Errors
    /// As `fsync(2)`.
    fn fsync(&self, ino: Ino) -> Result<(), Error>;
    /// # Errors
    /// As `statfs(2)`.
    fn statfs(&self) -> Result<Space, Error>;
}
