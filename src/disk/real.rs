//! The disk of the machine, through system calls.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, FlockOperation};
use rustix::io::{Errno, ReadWriteFlags};

use super::{Disk, DiskFile, DiskSpace, File, Open};

/// The disk of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile {
    file: fs::File,
    path: PathBuf,
}

/// An error that says which file it is about, of the same kind; [`super::errno`] still finds the number.
pub(super) fn at(path: &Path, error: io::Error) -> io::Error {
    struct AtPath(PathBuf, io::Error);
    impl std::fmt::Debug for AtPath {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{self}")
        }
    }
    impl std::fmt::Display for AtPath {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "`{}`: {}", self.0.display(), self.1)
        }
    }
    impl std::error::Error for AtPath {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.1)
        }
    }
    io::Error::new(error.kind(), AtPath(path.to_owned(), error))
}

impl RealFile {
    fn flock(&self, how: FlockOperation) -> io::Result<bool> {
        match rustix::fs::flock(&self.file, how) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(at(&self.path, error.into())),
        }
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(how != Open::Read).mode(0o600);
        match how {
            Open::Read | Open::Write => {}
            Open::CreateNew => {
                options.create_new(true);
            }
            Open::CreateOrWrite => {
                options.create(true).truncate(false);
            }
        }
        let file = options.open(path).map_err(|error| at(path, error))?;
        Ok(Arc::new(RealFile { file, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(|error| at(to, error))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path).map_err(|error| at(path, error))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path).map_err(|error| at(path, error))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| at(path, error))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let names = fs::read_dir(dir).map_err(|error| at(dir, error))?;
        names.map(|name| Ok(name.map_err(|error| at(dir, error))?.path())).collect()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir).and_then(|file| file.sync_all()).map_err(|error| at(dir, error))
    }

    fn space(&self, dir: &Path) -> io::Result<DiskSpace> {
        let stat = rustix::fs::statvfs(dir).map_err(|error| at(dir, error.into()))?;
        // `statvfs` counts in fragments.
        Ok(DiskSpace {
            block_bytes: u32::try_from(stat.f_frsize).unwrap_or(4096),
            blocks: stat.f_blocks,
            blocks_free: stat.f_bfree,
            blocks_available: stat.f_bavail,
            inodes: stat.f_files,
            inodes_free: stat.f_ffree,
        })
    }
}

impl DiskFile for RealFile {
    fn read_cached(&self, offset: u64, buf: &mut [u8]) -> io::Result<bool> {
        let wanted = buf.len();
        match rustix::io::preadv2(&self.file, &mut [IoSliceMut::new(buf)], offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => Ok(count == wanted),
            // A file system that cannot tell answers EOPNOTSUPP.
            Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(at(&self.path, error.into())),
        }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(at(&self.path, error)),
            }
        }
        Ok(done)
    }

    fn will_read(&self, offset: u64, len_bytes: u64) {
        // A file system that cannot do so has nothing to lose.
        let _advice = rustix::fs::fadvise(&self.file, offset, NonZero::new(len_bytes), Advice::WillNeed);
    }

    fn write_at(&self, offset: u64, bufs: &[&[u8]]) -> io::Result<()> {
        // A write is on the path of every file-system call: no allocation for the usual handful of buffers.
        let mut few = [IoSlice::new(&[]); 4];
        let mut many = Vec::new();
        let mut rest = if let Some(few) = few.get_mut(..bufs.len()) {
            few
        } else {
            many.resize(bufs.len(), IoSlice::new(&[]));
            many.as_mut_slice()
        };
        for (slice, buf) in rest.iter_mut().zip(bufs) {
            *slice = IoSlice::new(buf);
        }
        let mut at_offset = offset;
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match rustix::io::pwritev(&self.file, rest, at_offset) {
                Ok(0) => return Err(at(&self.path, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    at_offset += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(at(&self.path, error.into())),
            }
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata().map_err(|error| at(&self.path, error))?.len())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes).map_err(|error| at(&self.path, error))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| at(&self.path, error))
    }

    fn punch(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, how, offset, len_bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(at(&self.path, error.into())),
        }
    }

    fn allocate(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, offset, len_bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(at(&self.path, error.into())),
        }
    }

    fn has_other_names(&self) -> io::Result<bool> {
        Ok(self.file.metadata().map_err(|error| at(&self.path, error))?.nlink() > 1)
    }

    fn allocated_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata().map_err(|error| at(&self.path, error))?.blocks() * 512)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.flock(FlockOperation::NonBlockingLockExclusive)
    }

    fn try_lock_shared(&self) -> io::Result<bool> {
        self.flock(FlockOperation::NonBlockingLockShared)
    }

    fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        Ok(Some(self.file.try_clone().map_err(|error| at(&self.path, error))?.into()))
    }
}
