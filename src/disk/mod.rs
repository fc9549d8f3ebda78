//! The project's own file layer: the only way to the files of the data directory's store and deltas.
//!
//! It exists so that a test can stand between the code and the disk: fail the n-th call, fill the disk, or record what
//! was written and what was synced, and lose the rest as a power cut would. It knows nothing of what the files mean.
//! Every error that leaves it names the path it is about.

mod errno;
mod gate;
mod real;
pub mod sim;
pub mod umask;

use std::fmt::Debug;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use errno::errno;
pub use gate::{Gate, GatedDisk};
pub use real::RealDisk;
pub use sim::SimDisk;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// It must exist; only read.
    Read,
    /// It must exist; read and write.
    Write,
    /// It must not exist; read and write; mode 0600 whatever the umask.
    CreateNew,
    /// Created (mode 0600) if missing; read and write.
    CreateOrWrite,
}

/// An open file. All positions are absolute, so it can be shared between threads.
pub trait DiskFile: Send + Sync + Debug {
    /// Reads until `buf` is full or the file ends; returns the bytes read.
    ///
    /// # Errors
    /// What `pread(2)` says, but for `EINTR`, which is retried.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Fills `buf` if that is possible without waiting for the disk, and says whether it was; if not, `buf` has no meaning.
    ///
    /// # Errors
    /// As [`DiskFile::read_at`].
    fn read_cached(&self, offset: u64, buf: &mut [u8]) -> io::Result<bool> {
        let _ = (offset, buf);
        Ok(false)
    }

    /// Bytes of this range will be asked for: the disk may begin to read them. Does not wait.
    fn will_read(&self, offset: u64, len_bytes: u64) {
        let _ = (offset, len_bytes);
    }

    /// Writes all of the buffers, one after the other, at `offset`.
    ///
    /// # Errors
    /// What `pwritev(2)` says, but for `EINTR`. A part may have been written.
    fn write_at(&self, offset: u64, bufs: &[&[u8]]) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// What `fstat(2)` says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// As [`DiskFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file off, or lengthens it with a hole.
    ///
    /// # Errors
    /// What `ftruncate(2)` says.
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;

    /// Makes the data and what is needed to find it durable: `fdatasync(2)`.
    ///
    /// # Errors
    /// What `fdatasync(2)` says. After an error it is unknown what reached the disk.
    fn sync_data(&self) -> io::Result<()>;

    /// Gives a range back to the disk; it reads as zeros. A file system that cannot do it is no error.
    ///
    /// # Errors
    /// What `fallocate(2)` says, but for `EOPNOTSUPP`.
    fn punch(&self, offset: u64, len_bytes: u64) -> io::Result<()>;

    /// Takes disk space for a range ahead of the writes to it, so that these cannot run out of it. The length and the
    /// bytes stay. A file system that cannot do it is no error.
    ///
    /// # Errors
    /// What `fallocate(2)` says, but for `EOPNOTSUPP`.
    fn allocate(&self, offset: u64, len_bytes: u64) -> io::Result<()>;

    /// Whether the file has other names than one: then its bytes are not only ours.
    ///
    /// # Errors
    /// What `fstat(2)` says.
    fn has_other_names(&self) -> io::Result<bool>;

    /// Bytes that the file takes on the disk.
    ///
    /// # Errors
    /// What `fstat(2)` says.
    fn allocated_bytes(&self) -> io::Result<u64>;

    /// Takes the file's lock for this open file (`flock(2)`, exclusive) without waiting; `false` if another has it.
    /// It is held until the file is closed, also by the death of the process.
    ///
    /// # Errors
    /// What `flock(2)` says.
    fn try_lock(&self) -> io::Result<bool>;

    /// As [`DiskFile::try_lock`], but shared: any number of open files can have it, as long as none has the other.
    ///
    /// # Errors
    /// What `flock(2)` says.
    fn try_lock_shared(&self) -> io::Result<bool>;

    /// One more descriptor of this open file, for another process to hold, with the lock that this one has. `None` where
    /// there is no such thing.
    ///
    /// # Errors
    /// What `dup(2)` says.
    fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        Ok(None)
    }
}

/// A shared open file.
pub type File = Arc<dyn DiskFile>;

/// The space of the file system that a directory is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes of one block.
    pub block_bytes: u32,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks that this user may use.
    pub blocks_available: u64,
    /// Files that fit in all; 0 when there is no limit.
    pub inodes: u64,
    /// Files that still fit.
    pub inodes_free: u64,
}

/// A disk: names of files, and what can be done to them. Paths are absolute.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What `open(2)` says.
    fn open(&self, path: &Path, how: Open) -> io::Result<File>;

    /// Renames, replacing what is there. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What `rename(2)` says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What `unlink(2)` says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// What `rmdir(2)` says.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and those above it, mode 0700 whatever the umask; one that is there stays as it is.
    ///
    /// # Errors
    /// What `mkdir(2)` says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// What `opendir(3)` and `readdir(3)` say.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes the names in a directory durable: `fsync(2)` of it.
    ///
    /// # Errors
    /// What `fsync(2)` says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The space of the file system that a directory is on.
    ///
    /// # Errors
    /// What `statvfs(3)` says.
    fn space(&self, dir: &Path) -> io::Result<DiskSpace>;
}
