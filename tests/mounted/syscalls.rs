//! Carries generated operations out by system calls below a directory: the same way on a mount and on a plain disk.
//!
//! Every file is first reached by a descriptor with `O_PATH`, without following links, so that nothing outside of the
//! directory is ever touched; data is opened through that descriptor.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use aether::model::Kind;
use aether::overlay::{RenameMode, SetAttr, SetTime, Whence, XattrMode};
use rustix::fs::{
    AtFlags, CWD, Dir, FallocateFlags, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, SeekFrom, Stat,
    Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use crate::generated::operation::{Base, Op, SLOTS, Where};

/// What an operation gave back.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unit,
    /// The slot that the operation needs is empty, or it has no form as a system call.
    Skipped,
    Stat(Facts),
    Bytes(Vec<u8>),
    Number(u64),
    Seek(Option<u64>),
    Names(BTreeMap<Vec<u8>, FileType>),
    Attributes(BTreeSet<Vec<u8>>),
}

/// What two file systems must agree on about a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub mode: u32,
    pub nlink: u64,
    pub owner: (u32, u32),
    /// Nothing for directories, whose size is their file system's own business.
    pub size: Option<u64>,
    pub rdev: u64,
    /// The modification time if it was set by an operation; the clock's own times differ.
    pub set_mtime: Option<(i64, u64)>,
}

impl Facts {
    pub fn of(stat: &Stat) -> Self {
        let dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        // Times that operations set lie before 2020 or after 2100.
        let set = !(1_577_836_800..4_102_444_800).contains(&stat.st_mtime);
        Self {
            mode: stat.st_mode,
            nlink: stat.st_nlink,
            owner: (stat.st_uid, stat.st_gid),
            size: (!dir).then_some(stat.st_size as u64),
            rdev: stat.st_rdev,
            set_mtime: set.then_some((stat.st_mtime, stat.st_mtime_nsec)),
        }
    }
}

type Outcome = Result<Value, Errno>;

/// A directory that operations are carried out in.
pub struct Place {
    root: OwnedFd,
    slots: [Option<OwnedFd>; SLOTS],
}

/// The name that leads to what a descriptor stands for.
fn through(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// An operation that its slot is too empty for is no failure.
enum Reached<T> {
    There(T),
    Skipped,
}

macro_rules! reach {
    ($reached:expr) => {
        match $reached? {
            Reached::There(found) => found,
            Reached::Skipped => return Ok(Value::Skipped),
        }
    };
}

impl Place {
    pub fn new(root: &Path) -> Self {
        let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        Self { root, slots: Default::default() }
    }

    fn base(&self, base: Base) -> Option<&OwnedFd> {
        match base {
            Base::Root => Some(&self.root),
            Base::Slot(slot) => self.slots[slot].as_ref(),
        }
    }

    fn find(&self, base: Base, names: &[Vec<u8>]) -> Result<Reached<OwnedFd>, Errno> {
        let Some(base) = self.base(base) else { return Ok(Reached::Skipped) };
        if names.is_empty() {
            return Ok(Reached::There(base.try_clone().map_err(|_| Errno::MFILE)?));
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let path = names.join(&b'/');
        match rustix::fs::openat2(base, &path[..], flags, Mode::empty(), resolve) {
            // A symbolic link at the end is found by way of its directory.
            Err(Errno::LOOP) => {
                let (name, dirs) = names.split_last().expect("there are names");
                let dir = if dirs.is_empty() {
                    base.try_clone().map_err(|_| Errno::MFILE)?
                } else {
                    rustix::fs::openat2(base, &dirs.join(&b'/')[..], flags, Mode::empty(), resolve)?
                };
                Ok(Reached::There(rustix::fs::openat(&dir, &name[..], flags, Mode::empty())?))
            }
            found => Ok(Reached::There(found?)),
        }
    }

    fn reach(&self, at: &Where) -> Result<Reached<OwnedFd>, Errno> {
        self.find(at.base, &at.names)
    }

    /// The directory of a path, and the last name.
    fn parent<'a>(&self, at: &'a Where) -> Result<Reached<(OwnedFd, &'a [u8])>, Errno> {
        let Some((name, dirs)) = at.names.split_last() else { return Ok(Reached::Skipped) };
        Ok(match self.find(at.base, dirs)? {
            Reached::There(dir) => Reached::There((dir, name)),
            Reached::Skipped => Reached::Skipped,
        })
    }

    fn data(&self, fd: &OwnedFd) -> Result<OwnedFd, Errno> {
        rustix::fs::open(through(fd), OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
    }

    pub fn run(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Mknod { .. } | Op::Mkdir { .. } | Op::Symlink { .. } | Op::Link { .. } => self.run_make(op),
            Op::Unlink { at } => {
                let (dir, name) = reach!(self.parent(at));
                rustix::fs::unlinkat(dir, name, AtFlags::empty()).map(|()| Value::Unit)
            }
            Op::Rmdir { at } => {
                let (dir, name) = reach!(self.parent(at));
                rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR).map(|()| Value::Unit)
            }
            Op::Rename { from, to, mode } => {
                let (from, to) = (reach!(self.parent(from)), reach!(self.parent(to)));
                let mut flags = RenameFlags::empty();
                flags.set(RenameFlags::NOREPLACE, mode.contains(RenameMode::NO_REPLACE));
                flags.set(RenameFlags::EXCHANGE, mode.contains(RenameMode::EXCHANGE));
                rustix::fs::renameat_with(from.0, from.1, to.0, to.1, flags).map(|()| Value::Unit)
            }
            Op::SetAttr { at, set } => {
                let fd = reach!(self.reach(at));
                self.set(&fd, set)
            }
            Op::Stat { at } => {
                let fd = reach!(self.reach(at));
                Ok(Value::Stat(Facts::of(&rustix::fs::fstat(fd)?)))
            }
            Op::Readlink { at } => {
                let fd = reach!(self.reach(at));
                Ok(Value::Bytes(rustix::fs::readlinkat(fd, "", Vec::new())?.into_bytes()))
            }
            Op::List { at, .. } => {
                let fd = reach!(self.reach(at));
                Ok(Value::Names(list(&fd)?))
            }
            Op::SetXattr { .. } | Op::GetXattr { .. } | Op::ListXattr { .. } | Op::RemoveXattr { .. } => {
                self.run_xattr(op)
            }
            Op::Open { at, slot } => {
                self.slots[*slot] = Some(reach!(self.reach(at)));
                Ok(Value::Unit)
            }
            Op::Close { slot } => {
                self.slots[*slot] = None;
                Ok(Value::Unit)
            }
            Op::StartList { .. } | Op::MoreList { .. } | Op::Forget | Op::Remount => Ok(Value::Skipped),
            _ => self.run_data(op),
        }
    }

    fn run_make(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Mknod { at, kind, perm, rdev } => {
                let (dir, name) = reach!(self.parent(at));
                let kind = match kind {
                    Kind::Fifo => FileType::Fifo,
                    Kind::Socket => FileType::Socket,
                    Kind::CharDevice => FileType::CharacterDevice,
                    Kind::BlockDevice => FileType::BlockDevice,
                    _ => FileType::RegularFile,
                };
                rustix::fs::mknodat(dir, name, kind, Mode::from_raw_mode((*perm).into()), u64::from(*rdev))?;
            }
            Op::Mkdir { at, perm } => {
                let (dir, name) = reach!(self.parent(at));
                rustix::fs::mkdirat(dir, name, Mode::from_raw_mode((*perm).into()))?;
            }
            Op::Symlink { at, target } => {
                let (dir, name) = reach!(self.parent(at));
                rustix::fs::symlinkat(&target[..], dir, name)?;
            }
            Op::Link { from, to } => {
                let (from, (dir, name)) = (reach!(self.reach(from)), reach!(self.parent(to)));
                rustix::fs::linkat(from, "", dir, name, AtFlags::EMPTY_PATH)?;
            }
            other => unreachable!("{other:?} makes nothing"),
        }
        Ok(Value::Unit)
    }

    fn set(&self, fd: &OwnedFd, set: &SetAttr) -> Outcome {
        if let Some(size) = set.size {
            rustix::fs::ftruncate(self.data(fd)?, size)?;
        }
        if set.uid.is_some() || set.gid.is_some() {
            let (uid, gid) = (set.uid.map(Uid::from_raw), set.gid.map(Gid::from_raw));
            rustix::fs::chownat(fd, "", uid, gid, AtFlags::EMPTY_PATH)?;
        }
        if let Some(perm) = set.perm {
            rustix::fs::chmod(through(fd), Mode::from_raw_mode(perm.into()))?;
        }
        if set.atime.is_some() || set.mtime.is_some() {
            let time = |set: Option<SetTime>| match set {
                None => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
                Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
                Some(SetTime::At(time)) => Timespec { tv_sec: time.secs, tv_nsec: time.nanos.into() },
            };
            let times = Timestamps { last_access: time(set.atime), last_modification: time(set.mtime) };
            rustix::fs::utimensat(fd, "", &times, AtFlags::EMPTY_PATH)?;
        }
        Ok(Value::Stat(Facts::of(&rustix::fs::fstat(fd)?)))
    }

    fn run_data(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Write { at, offset, what, .. } => {
                let fd = self.data(&reach!(self.reach(at)))?;
                Ok(Value::Number(rustix::io::pwrite(fd, &what.bytes(), *offset)? as u64))
            }
            Op::Read { at, offset, len } => {
                let fd = self.data(&reach!(self.reach(at)))?;
                let mut buf = vec![0; *len];
                let count = rustix::io::pread(fd, &mut buf, *offset)?;
                buf.truncate(count);
                Ok(Value::Bytes(buf))
            }
            Op::Fallocate { at, offset, len, how } => {
                let fd = self.data(&reach!(self.reach(at)))?;
                let how = FallocateFlags::from_bits_retain(how.bits());
                rustix::fs::fallocate(fd, how, *offset, *len).map(|()| Value::Unit)
            }
            Op::CopyRange { from, from_offset, to, to_offset, len } => {
                let (from, to) = (reach!(self.reach(from)), reach!(self.reach(to)));
                let (from, to) = (self.data(&from)?, self.data(&to)?);
                let (mut start, mut end) = (*from_offset, *to_offset);
                let mut done = 0;
                // One call may copy a part only.
                while done < *len {
                    let left = (*len - done) as usize;
                    match rustix::fs::copy_file_range(&from, Some(&mut start), &to, Some(&mut end), left)? {
                        0 => break,
                        count => done += count as u64,
                    }
                }
                Ok(Value::Number(done))
            }
            Op::Seek { at, offset, what } => {
                let fd = self.data(&reach!(self.reach(at)))?;
                let whence = if *what == Whence::Data { SeekFrom::Data(*offset) } else { SeekFrom::Hole(*offset) };
                match rustix::fs::seek(fd, whence) {
                    Ok(found) => Ok(Value::Seek(Some(found))),
                    Err(Errno::NXIO) => Ok(Value::Seek(None)),
                    Err(error) => Err(error),
                }
            }
            Op::Fsync { at } => {
                let fd = reach!(self.reach(at));
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                rustix::fs::fsync(rustix::fs::open(through(&fd), flags, Mode::empty())?).map(|()| Value::Unit)
            }
            other => unreachable!("{other:?} touches no data"),
        }
    }

    fn run_xattr(&mut self, op: &Op) -> Outcome {
        match op {
            Op::SetXattr { at, name, value, mode } => {
                let fd = reach!(self.reach(at));
                let flags = match mode {
                    XattrMode::Set => XattrFlags::empty(),
                    XattrMode::Create => XattrFlags::CREATE,
                    XattrMode::Replace => XattrFlags::REPLACE,
                };
                rustix::fs::setxattr(through(&fd), &name[..], &value.bytes(), flags).map(|()| Value::Unit)
            }
            Op::GetXattr { at, name } => {
                let fd = reach!(self.reach(at));
                let mut buf = vec![0; 1 << 16];
                let count = rustix::fs::getxattr(through(&fd), &name[..], &mut buf[..])?;
                Ok(Value::Bytes(buf[..count].to_vec()))
            }
            Op::ListXattr { at } => {
                let fd = reach!(self.reach(at));
                Ok(Value::Attributes(attributes(&through(&fd))?))
            }
            Op::RemoveXattr { at, name } => {
                let fd = reach!(self.reach(at));
                rustix::fs::removexattr(through(&fd), &name[..]).map(|()| Value::Unit)
            }
            other => unreachable!("{other:?} is about no attribute"),
        }
    }
}

/// The names in a directory.
pub fn list(fd: impl AsFd) -> Result<BTreeMap<Vec<u8>, FileType>, Errno> {
    let fd = rustix::fs::openat(fd, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut names = BTreeMap::new();
    for entry in Dir::new(fd)? {
        let entry = entry?;
        let known = names.insert(entry.file_name().to_bytes().to_vec(), entry.file_type());
        assert!(known.is_none(), "{:?} is listed twice", entry.file_name());
    }
    Ok(names)
}

/// The names of a file's extended attributes.
pub fn attributes(path: &str) -> Result<BTreeSet<Vec<u8>>, Errno> {
    let mut buf = vec![0; 1 << 16];
    let count = rustix::fs::listxattr(path, &mut buf[..])?;
    let names = buf[..count].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    // What a security module adds is not the file system's own.
    Ok(names.filter(|name| !name.starts_with(b"security.")).map(<[u8]>::to_vec).collect())
}

/// Reaches a file below a directory, without following a link at the end.
pub fn path_fd(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
