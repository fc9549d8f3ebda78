//! [`Overlay`] as [`Files`]: what the FUSE adapter and the tests call.

use std::sync::Arc;

use crate::model::{Attr, Ino, Kind};

use super::core::Overlay;
use super::{Caller, DirEntry, Error, Falloc, Files, Lower, RenameMode, SetAttr, Space, Upper, Whence, XattrMode};

impl<L: Lower + 'static, U: Upper + 'static> Files for Overlay<L, U> {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        self.do_lookup(parent, name)
    }

    fn forget(&self, ino: Ino, count: u64) {
        self.forget_lookups(ino, count);
    }

    fn served(&self, request: u64) -> Option<Ino> {
        self.already_served(request)
    }

    fn recall(&self, ino: Ino) -> Result<Attr, Error> {
        self.do_recall(ino)
    }

    fn doubtful(&self) -> Vec<Ino> {
        self.take_doubtful()
    }

    fn not_held(&self, ino: Ino) {
        Self::not_held(self, ino);
    }

    fn getattr(&self, ino: Ino) -> Result<Attr, Error> {
        self.view(|view| view.attr(ino))
    }

    fn allocated_bytes(&self, ino: Ino) -> Result<u64, Error> {
        self.do_allocated_bytes(ino)
    }

    fn setattr(&self, caller: Caller, ino: Ino, set: &SetAttr) -> Result<Attr, Error> {
        self.do_setattr(caller, ino, set)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>, Error> {
        use super::inode::InodeBody;
        use crate::model::Body;
        self.view(|view| match view.state.inodes.get(&ino).map(|inode| &inode.body) {
            Some(InodeBody::Symlink(target)) => Ok(target.to_vec()),
            Some(_) => Err(Error::Invalid.into()),
            None => view
                .frozen(ino, |entry, _| match &entry.body {
                    Body::Symlink(target) => Ok(target.to_vec()),
                    _ => Err(Error::Invalid),
                })?
                .map_err(Into::into),
        })
    }

    fn mknod(&self, caller: Caller, parent: Ino, name: &[u8], kind: Kind, perm: u16, rdev: u32) -> Result<Attr, Error> {
        if matches!(kind, Kind::Dir | Kind::Symlink) {
            return Err(Error::Invalid);
        }
        self.make(caller, (parent, name), (kind, perm), |record| {
            record.attr.rdev = if kind.is_device() { rdev } else { 0 };
        })
    }

    fn mkdir(&self, caller: Caller, parent: Ino, name: &[u8], perm: u16) -> Result<Attr, Error> {
        self.make(caller, (parent, name), (Kind::Dir, perm), |_| {})
    }

    fn symlink(&self, caller: Caller, parent: Ino, name: &[u8], target: &[u8]) -> Result<Attr, Error> {
        if target.is_empty() {
            return Err(Error::NotFound);
        }
        self.make(caller, (parent, name), (Kind::Symlink, 0o777), |record| {
            record.attr.size = target.len() as u64;
            record.symlink = target.into();
        })
    }

    fn link(&self, caller: Caller, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        self.do_link(caller, ino, parent, name)
    }

    fn unlink(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        self.do_unlink(caller, parent, name)
    }

    fn rmdir(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        self.do_rmdir(caller, parent, name)
    }

    fn rename(&self, caller: Caller, from: (Ino, &[u8]), to: (Ino, &[u8]), mode: RenameMode) -> Result<(), Error> {
        self.do_rename(caller, from, to, mode)
    }

    fn read(&self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        self.do_read(ino, offset, buf)
    }

    fn write(&self, caller: Caller, ino: Ino, offset: u64, bytes: &[u8], kill_priv: bool) -> Result<(), Error> {
        self.do_write(caller, ino, offset, bytes, kill_priv)
    }

    fn fallocate(&self, caller: Caller, ino: Ino, offset: u64, len_bytes: u64, how: Falloc) -> Result<(), Error> {
        self.do_fallocate(caller, ino, offset, len_bytes, how)
    }

    fn seek(&self, ino: Ino, offset: u64, what: Whence) -> Result<u64, Error> {
        self.do_seek(ino, offset, what)
    }

    fn copy_range(&self, caller: Caller, from: (Ino, u64), to: (Ino, u64), len_bytes: u64) -> Result<u64, Error> {
        self.do_copy(caller, from, to, len_bytes)
    }

    fn read_dir(
        &self,
        ino: Ino,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Error> {
        self.do_read_dir(ino, cookie, with_attr, each)
    }

    fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Arc<[u8]>, Error> {
        self.do_getxattr(ino, name)
    }

    fn setxattr(&self, caller: Caller, ino: Ino, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Error> {
        self.do_setxattr(caller, ino, name, value, mode)
    }

    fn listxattr(&self, ino: Ino) -> Result<Vec<Box<[u8]>>, Error> {
        self.do_listxattr(ino)
    }

    fn removexattr(&self, caller: Caller, ino: Ino, name: &[u8]) -> Result<(), Error> {
        self.do_removexattr(caller, ino, name)
    }

    fn fsync(&self, _ino: Ino) -> Result<(), Error> {
        self.upper.sync().map_err(Error::Upper)
    }

    fn statfs(&self) -> Result<Space, Error> {
        self.upper.space().map_err(Error::Upper)
    }
}
