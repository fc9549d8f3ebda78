//! From requests of the kernel to calls of the overlay, and back: convert, call, reply. Nothing is decided here.
//!
//! - **Zero-message open**: OPEN and OPENDIR are answered ENOSYS once, after which the kernel asks no more and keeps its
//!   caches. So there are no file handles, and RELEASE never comes.
//! - **No locks, ioctls, polls or access checks**: the kernel does locks itself, and permissions by
//!   `default_permissions`.
//! - **POSIX ACLs** are checked by the kernel, which reads them as attributes. It leaves the umask to the file system,
//!   since a default ACL takes its place.
//! - **A directory entry counts as looked up only when it fit** into the reply.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr,
    Request, TimeOrNow, WriteFlags,
};

use crate::model::{Attr, Ino, Kind};
use crate::overlay::{Caller, Error, Falloc, Files, RenameMode, SetAttr, Whence, XattrMode};

use super::convert::{absent_attr, bare_attr, bytes, file_attr, file_type, set_time, timestamp};
use super::counters::Op;
use super::errno::{errno, is_failure};
use super::init;
use super::notify::Invalidations;
use super::server::Config;
use super::turn::{Turn, Turns, number};

/// How long the kernel may believe what it was told. All changes go through it or are announced to it.
const TTL: Duration = Duration::from_secs(365 * 24 * 3600);

/// Inode numbers are never used again, so there is one generation.
const GENERATION: Generation = Generation(0);

/// The longest copy done in one request, in bytes: others wait for the thread, and the reply has 32 bits.
const MAX_COPY_BYTES: u64 = 256 << 20;

const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;
const XATTR_CREATE: i32 = 1;
const XATTR_REPLACE: i32 = 2;

/// A file system as `fuser` calls it.
#[derive(Debug)]
pub(super) struct Adapter<F: ?Sized> {
    pub(super) config: Config,
    pub(super) files: Arc<F>,
    pub(super) turns: Turns,
    pub(super) invalidations: Invalidations,
}

impl<F: Files + ?Sized> Adapter<F> {
    fn turn(&self, op: Op, req: &Request) -> Option<Turn<'_>> {
        self.turns.begin(op, req.unique().0)
    }

    /// Does what cannot be done twice: asked again for what was done already, it only answers.
    fn once<T>(
        &self,
        req: &Request,
        again: impl FnOnce(Ino) -> Result<T, Error>,
        first: impl FnOnce(Caller) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (request, resent) = number(req.unique().0);
        match self.files.served(request).filter(|_| resent) {
            Some(ino) => again(ino),
            None => first(Caller { request, ..caller(req) }),
        }
    }

    /// Makes or links an inode, once.
    fn make(
        &self,
        req: &Request,
        umask: u32,
        first: impl FnOnce(Caller) -> Result<Attr, Error>,
    ) -> Result<Attr, Error> {
        let umask = (umask & 0o777) as u16;
        self.once(req, |ino| self.files.recall(ino), |caller| first(Caller { umask, ..caller }))
    }

    /// Changes something, once.
    fn alter(&self, req: &Request, first: impl FnOnce(Caller) -> Result<(), Error>) -> Result<(), Error> {
        self.once(req, |_| Ok(()), first)
    }
}

fn caller(req: &Request) -> Caller {
    Caller { uid: req.uid(), gid: req.gid(), umask: 0, now: SystemTime::now().into(), request: 0 }
}

fn reply_errno(error: &Error) -> Errno {
    if is_failure(error) {
        log::error!("{}", chain(error));
    }
    Errno::from_i32(errno(error).raw_os_error())
}

/// An error and its causes in one line, with nothing in it that a terminal would obey.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.escape_debug().to_string()
}

fn reply_empty(reply: ReplyEmpty, result: Result<(), Error>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(reply_errno(&error)),
    }
}

/// The protocol of both xattr reads: size 0 asks for the length, and what does not fit is ERANGE.
fn reply_xattr(reply: ReplyXattr, size: u32, value: &[u8]) {
    let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    if size == 0 {
        reply.size(len);
    } else if len > size {
        reply.error(Errno::ERANGE);
    } else {
        reply.data(value);
    }
}

impl<F: Files + ?Sized> Adapter<F> {
    /// Attributes as the kernel wants them, with the blocks of a file counted.
    fn shown(&self, attr: &Attr) -> FileAttr {
        // Whoever asked was told of the inode; if it is gone meanwhile, that is said of the next request.
        let takes_space = attr.kind == Kind::File && attr.size > 0;
        let allocated = if takes_space { self.files.allocated_bytes(attr.ino).unwrap_or(attr.size) } else { 0 };
        file_attr(attr, allocated)
    }

    fn reply_entry(&self, reply: ReplyEntry, result: Result<Attr, Error>) {
        match result {
            Ok(attr) => reply.entry(&TTL, &self.shown(&attr), GENERATION),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn reply_attr(&self, reply: ReplyAttr, result: Result<Attr, Error>) {
        match result {
            Ok(attr) => reply.attr(&TTL, &self.shown(&attr)),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }
}

thread_local! {
    /// Where a reading thread collects its reply; grows to the longest read the kernel asks for.
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[allow(clippy::too_many_arguments)]
impl<F: Files + ?Sized> Filesystem for Adapter<F> {
    fn init(&mut self, _req: &Request, kernel: &mut KernelConfig) -> io::Result<()> {
        init::negotiate(kernel, &self.config)
    }

    fn lookup(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let Some(_turn) = self.turn(Op::Lookup, req) else { return reply.error(Errno::EIO) };
        match self.files.lookup(parent.0, bytes(name)) {
            // An entry without an inode is how the kernel is told to remember that there is none.
            Err(Error::NotFound) => reply.entry(&TTL, &absent_attr(), GENERATION),
            result => self.reply_entry(reply, result),
        }
    }

    fn forget(&self, req: &Request, ino: INodeNo, nlookup: u64) {
        let _turn = self.turn(Op::Forget, req);
        self.files.forget(ino.0, nlookup);
        self.files.doubtful().into_iter().for_each(|ino| self.invalidations.ask(ino));
    }

    fn getattr(&self, req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let Some(_turn) = self.turn(Op::Getattr, req) else { return reply.error(Errno::EIO) };
        self.reply_attr(reply, self.files.getattr(ino.0));
    }

    fn setattr(
        &self,
        req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let Some(_turn) = self.turn(Op::Setattr, req) else { return reply.error(Errno::EIO) };
        let mut set = SetAttr {
            perm: mode.map(|mode| (mode & 0o7777) as u16),
            uid,
            gid,
            size,
            atime: atime.map(set_time),
            mtime: mtime.map(set_time),
            ctime: ctime.map(timestamp),
            kill_priv: false,
        };
        set.kill_priv = init::setattr_kills_priv(&set, req.uid());
        self.reply_attr(reply, self.files.setattr(caller(req), ino.0, &set));
    }

    fn readlink(&self, req: &Request, ino: INodeNo, reply: ReplyData) {
        let Some(_turn) = self.turn(Op::Readlink, req) else { return reply.error(Errno::EIO) };
        match self.files.readlink(ino.0) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn mknod(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, rdev: u32, reply: ReplyEntry) {
        let Some(_turn) = self.turn(Op::Mknod, req) else { return reply.error(Errno::EIO) };
        let Some(kind) = Kind::from_mode(mode).or((mode & 0o170_000 == 0).then_some(Kind::File)) else {
            return reply.error(Errno::EINVAL);
        };
        let perm = (mode & 0o7777) as u16;
        let make = |caller| self.files.mknod(caller, parent.0, bytes(name), kind, perm, rdev);
        self.reply_entry(reply, self.make(req, umask, make));
    }

    fn mkdir(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let Some(_turn) = self.turn(Op::Mkdir, req) else { return reply.error(Errno::EIO) };
        let make = |caller| self.files.mkdir(caller, parent.0, bytes(name), (mode & 0o7777) as u16);
        self.reply_entry(reply, self.make(req, umask, make));
    }

    fn unlink(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Unlink, req) else { return reply.error(Errno::EIO) };
        reply_empty(reply, self.alter(req, |caller| self.files.unlink(caller, parent.0, bytes(name))));
    }

    fn rmdir(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Rmdir, req) else { return reply.error(Errno::EIO) };
        reply_empty(reply, self.alter(req, |caller| self.files.rmdir(caller, parent.0, bytes(name))));
    }

    fn symlink(&self, req: &Request, parent: INodeNo, link_name: &OsStr, target: &Path, reply: ReplyEntry) {
        let Some(_turn) = self.turn(Op::Symlink, req) else { return reply.error(Errno::EIO) };
        let target = target.as_os_str().as_bytes();
        let make = |caller| self.files.symlink(caller, parent.0, bytes(link_name), target);
        self.reply_entry(reply, self.make(req, 0, make));
    }

    fn rename(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let Some(_turn) = self.turn(Op::Rename, req) else { return reply.error(Errno::EIO) };
        let Some(mode) = RenameMode::from_bits(flags.bits()) else { return reply.error(Errno::EINVAL) };
        let (from, to) = ((parent.0, bytes(name)), (newparent.0, bytes(newname)));
        reply_empty(reply, self.alter(req, |caller| self.files.rename(caller, from, to, mode)));
    }

    fn link(&self, req: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let Some(_turn) = self.turn(Op::Link, req) else { return reply.error(Errno::EIO) };
        let make = |caller| self.files.link(caller, ino.0, newparent.0, bytes(newname));
        self.reply_entry(reply, self.make(req, 0, make));
    }

    fn open(&self, req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let Some(_turn) = self.turn(Op::Open, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let Some(_turn) = self.turn(Op::Opendir, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOSYS);
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let Some(_turn) = self.turn(Op::Create, req) else { return reply.error(Errno::EIO) };
        let perm = (mode & 0o7777) as u16;
        let make = |caller| self.files.mknod(caller, parent.0, bytes(name), Kind::File, perm, 0);
        match self.make(req, umask, make) {
            // What the kernel assumes of files it opens without asking must hold for this one too.
            Ok(attr) => {
                reply.created(&TTL, &file_attr(&attr, 0), GENERATION, FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
            }
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn read(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(_turn) = self.turn(Op::Read, req) else { return reply.error(Errno::EIO) };
        READ_BUFFER.with_borrow_mut(|buffer| {
            let wanted = size as usize;
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
            match self.files.read(ino.0, offset, &mut buffer[..wanted]) {
                Ok(count) => reply.data(&buffer[..count.min(wanted)]),
                Err(error) => reply.error(reply_errno(&error)),
            }
        });
    }

    fn write(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some(_turn) = self.turn(Op::Write, req) else { return reply.error(Errno::EIO) };
        let kill_priv = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        match self.files.write(caller(req), ino.0, offset, data, kill_priv) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn flush(&self, req: &Request, _ino: INodeNo, _fh: FileHandle, _lock_owner: LockOwner, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Flush, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, req: &Request, ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Fsync, req) else { return reply.error(Errno::EIO) };
        reply_empty(reply, self.files.fsync(ino.0));
    }

    fn fsyncdir(&self, req: &Request, ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Fsyncdir, req) else { return reply.error(Errno::EIO) };
        reply_empty(reply, self.files.fsync(ino.0));
    }

    fn readdir(&self, req: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let Some(_turn) = self.turn(Op::Readdir, req) else { return reply.error(Errno::EIO) };
        let mut added = false;
        let result = self.files.read_dir(ino.0, offset, false, &mut |entry| {
            let full =
                reply.add(INodeNo(entry.ino), entry.cookie, file_type(entry.kind), OsStr::from_bytes(entry.name));
            added |= !full;
            !full
        });
        match result {
            // What was listed before the failure is told first; the next request meets the failure again.
            Err(error) if !added => reply.error(reply_errno(&error)),
            _ => reply.ok(),
        }
    }

    fn readdirplus(&self, req: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
        let Some(_turn) = self.turn(Op::Readdirplus, req) else { return reply.error(Errno::EIO) };
        let mut added = false;
        let result = self.files.read_dir(ino.0, offset, true, &mut |entry| {
            // The kernel takes no attributes of `.` and `..`, and does not count them as looked up.
            let attr = match entry.attr {
                Some(attr) => file_attr(attr, entry.allocated_bytes),
                None => bare_attr(entry.ino, entry.kind),
            };
            let name = OsStr::from_bytes(entry.name);
            let full = reply.add(INodeNo(entry.ino), entry.cookie, name, &TTL, &attr, GENERATION);
            added |= !full;
            !full
        });
        match result {
            // Entries in the reply count as looked up, so they have to reach the kernel.
            Err(error) if !added => reply.error(reply_errno(&error)),
            _ => reply.ok(),
        }
    }

    fn statfs(&self, req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let Some(_turn) = self.turn(Op::Statfs, req) else { return reply.error(Errno::EIO) };
        match self.files.statfs() {
            Ok(space) => reply.statfs(
                space.blocks,
                space.blocks_free,
                space.blocks_available,
                space.inodes,
                space.inodes_free,
                space.block_bytes,
                255,
                space.block_bytes,
            ),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn setxattr(
        &self,
        req: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let Some(_turn) = self.turn(Op::Setxattr, req) else { return reply.error(Errno::EIO) };
        let mode = match flags {
            0 => XattrMode::Set,
            XATTR_CREATE => XattrMode::Create,
            XATTR_REPLACE => XattrMode::Replace,
            _ => return reply.error(Errno::EINVAL),
        };
        let set = |caller| self.files.setxattr(caller, ino.0, bytes(name), value, mode);
        reply_empty(reply, self.alter(req, set));
    }

    fn getxattr(&self, req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let Some(_turn) = self.turn(Op::Getxattr, req) else { return reply.error(Errno::EIO) };
        match self.files.getxattr(ino.0, bytes(name)) {
            Ok(value) => reply_xattr(reply, size, &value),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn listxattr(&self, req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let Some(_turn) = self.turn(Op::Listxattr, req) else { return reply.error(Errno::EIO) };
        match self.files.listxattr(ino.0) {
            Ok(names) => {
                // The kernel keeps their values from ordinary users, but leaves the names to the file system.
                let shown = names.iter().filter(|name| req.uid() == 0 || !name.starts_with(b"trusted."));
                let list: Vec<u8> = shown.flat_map(|name| name.iter().copied().chain([0])).collect();
                reply_xattr(reply, size, &list);
            }
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn removexattr(&self, req: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Removexattr, req) else { return reply.error(Errno::EIO) };
        reply_empty(reply, self.alter(req, |caller| self.files.removexattr(caller, ino.0, bytes(name))));
    }

    fn ioctl(
        &self,
        req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        let Some(_turn) = self.turn(Op::Other, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOTTY);
    }

    fn fallocate(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let Some(_turn) = self.turn(Op::Fallocate, req) else { return reply.error(Errno::EIO) };
        let Some(how) = Falloc::from_bits(mode.cast_unsigned()) else { return reply.error(Errno::EOPNOTSUPP) };
        reply_empty(reply, self.files.fallocate(caller(req), ino.0, offset, length, how));
    }

    fn lseek(&self, req: &Request, ino: INodeNo, _fh: FileHandle, offset: i64, whence: i32, reply: ReplyLseek) {
        let Some(_turn) = self.turn(Op::Lseek, req) else { return reply.error(Errno::EIO) };
        let what = match whence {
            SEEK_DATA => Whence::Data,
            SEEK_HOLE => Whence::Hole,
            _ => return reply.error(Errno::EINVAL),
        };
        let Ok(from) = u64::try_from(offset) else { return reply.error(Errno::ENXIO) };
        match self.files.seek(ino.0, from, what) {
            Ok(found) => reply.offset(i64::try_from(found).unwrap_or(i64::MAX)),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn copy_file_range(
        &self,
        req: &Request,
        ino_in: INodeNo,
        _fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        _fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let Some(_turn) = self.turn(Op::CopyFileRange, req) else { return reply.error(Errno::EIO) };
        let (from, to) = ((ino_in.0, offset_in), (ino_out.0, offset_out));
        match self.files.copy_range(caller(req), from, to, len.min(MAX_COPY_BYTES)) {
            Ok(copied) => reply.written(u32::try_from(copied).unwrap_or(u32::MAX)),
            Err(error) => reply.error(reply_errno(&error)),
        }
    }

    fn access(&self, req: &Request, _ino: INodeNo, _mask: fuser::AccessFlags, reply: ReplyEmpty) {
        let Some(_turn) = self.turn(Op::Other, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOSYS);
    }

    fn bmap(&self, req: &Request, _ino: INodeNo, _blocksize: u32, _idx: u64, reply: fuser::ReplyBmap) {
        let Some(_turn) = self.turn(Op::Other, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOSYS);
    }

    fn poll(
        &self,
        req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _ph: fuser::PollNotifier,
        _events: fuser::PollEvents,
        _flags: fuser::PollFlags,
        reply: fuser::ReplyPoll,
    ) {
        let Some(_turn) = self.turn(Op::Other, req) else { return reply.error(Errno::EIO) };
        reply.error(Errno::ENOSYS);
    }
}
