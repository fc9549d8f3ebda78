//! The reference model: a POSIX file system in memory that is simple enough to be right.
//!
//! One lock, ordered maps, no sharing, no caches. Checks stand in the order in which Linux makes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aether::model::{Attr, FIRST_INO, Ino, Kind, ROOT_INO, Timestamp};
use aether::overlay::{Caller, DirEntry, Error, Falloc, Files, RenameMode, SetAttr, SetTime, Space, Whence, XattrMode};

use super::sparse::Sparse;

/// The largest size a file can have, as the kernel sees it.
pub const MAX_SIZE: u64 = i64::MAX as u64;

#[derive(Clone, Debug)]
pub struct Dir {
    pub parent: Ino,
    /// Name to inode and the cookie of the listing, which stays with the name while it is there.
    pub entries: BTreeMap<Vec<u8>, (Ino, u64)>,
    pub next_cookie: u64,
}

#[derive(Clone, Debug)]
pub enum Body {
    File(Sparse),
    Dir(Dir),
    Symlink(Vec<u8>),
    Special,
}

#[derive(Clone, Debug)]
pub struct Inode {
    pub attr: Attr,
    pub body: Body,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub lookups: u64,
}

#[derive(Clone, Debug)]
pub struct State {
    pub inodes: BTreeMap<Ino, Inode>,
    pub next: Ino,
}

/// The model.
#[derive(Debug)]
pub struct Model(Mutex<State>);

impl Model {
    /// An empty tree whose root has these attributes.
    pub fn new(now: Timestamp) -> Self {
        let mut state = State { inodes: BTreeMap::new(), next: FIRST_INO };
        let root = Attr::new(ROOT_INO, Kind::Dir, 0o755, 0, 0, now);
        let body = Body::Dir(Dir { parent: ROOT_INO, entries: BTreeMap::new(), next_cookie: 3 });
        state.inodes.insert(ROOT_INO, Inode { attr: root, body, xattrs: BTreeMap::new(), lookups: 0 });
        Self(Mutex::new(state))
    }

    /// The model as it was.
    pub fn from_state(state: State) -> Self {
        Self(Mutex::new(state))
    }

    /// A copy of all there is.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// What the end of the process does: nobody holds anything any more.
    pub fn remount(&self) {
        let mut state = self.lock();
        for inode in state.inodes.values_mut() {
            inode.lookups = 0;
        }
        state.inodes.retain(|_, inode| inode.attr.nlink > 0);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    pub fn inode(&mut self, ino: Ino) -> Result<&mut Inode, Error> {
        self.inodes.get_mut(&ino).ok_or(Error::Stale)
    }

    pub fn dir(&mut self, ino: Ino) -> Result<&mut Dir, Error> {
        match &mut self.inode(ino)?.body {
            Body::Dir(dir) => Ok(dir),
            _ => Err(Error::NotDir),
        }
    }

    fn file(&mut self, ino: Ino) -> Result<(&mut Attr, &mut Sparse), Error> {
        let inode = self.inode(ino)?;
        match &mut inode.body {
            Body::File(bytes) => Ok((&mut inode.attr, bytes)),
            Body::Dir(_) => Err(Error::IsDir),
            Body::Symlink(_) | Body::Special => Err(Error::Invalid),
        }
    }

    pub fn find(&mut self, parent: Ino, name: &[u8]) -> Result<Option<Ino>, Error> {
        if name.len() > 255 {
            return Err(Error::NameTooLong);
        }
        let dir = self.dir(parent)?;
        Ok(dir.entries.get(name).map(|&(ino, _)| ino))
    }

    pub fn touch_dir(&mut self, ino: Ino, now: Timestamp) {
        let attr = &mut self.inodes.get_mut(&ino).unwrap().attr;
        (attr.mtime, attr.ctime) = (now, now);
    }

    pub fn insert(&mut self, parent: Ino, name: &[u8], ino: Ino) {
        let dir = self.dir(parent).unwrap();
        let cookie = dir.entries.get(name).map_or(dir.next_cookie, |&(_, cookie)| cookie);
        dir.next_cookie += 1;
        dir.entries.insert(name.to_vec(), (ino, cookie));
    }

    /// Drops an inode that has neither name nor holder.
    pub fn reap(&mut self, ino: Ino) {
        if self.inodes.get(&ino).is_some_and(|inode| inode.attr.nlink == 0 && inode.lookups == 0) {
            self.inodes.remove(&ino);
        }
    }

    fn looked_up(&mut self, ino: Ino) -> Attr {
        let inode = self.inodes.get_mut(&ino).unwrap();
        inode.lookups += 1;
        inode.attr.clone()
    }

    /// Checks that a new name can be made in the directory.
    pub fn check_new(&mut self, parent: Ino, name: &[u8]) -> Result<(), Error> {
        if self.find(parent, name)?.is_some() {
            return Err(Error::Exists);
        }
        if self.inode(parent)?.attr.nlink == 0 {
            return Err(Error::NotFound);
        }
        Ok(())
    }

    pub fn make(
        &mut self,
        caller: Caller,
        parent: Ino,
        name: &[u8],
        (kind, perm, rdev): (Kind, u16, u32),
        body: Body,
    ) -> Result<Attr, Error> {
        self.check_new(parent, name)?;
        let ino = self.next;
        self.next += 1;
        let mut attr = Attr::new(ino, kind, perm, caller.uid, caller.gid, caller.now);
        let above = &self.inode(parent)?.attr;
        if above.perm & 0o2000 != 0 {
            attr.gid = above.gid;
            attr.perm |= if kind == Kind::Dir { 0o2000 } else { 0 };
        }
        attr.rdev = if kind.is_device() { rdev } else { 0 };
        if let Body::Symlink(target) = &body {
            attr.size = target.len() as u64;
        }
        self.inodes.insert(ino, Inode { attr, body, xattrs: BTreeMap::new(), lookups: 0 });
        self.insert(parent, name, ino);
        if kind == Kind::Dir {
            self.inode(parent)?.attr.nlink += 1;
        }
        self.touch_dir(parent, caller.now);
        Ok(self.looked_up(ino))
    }

    /// Takes a name's link off its inode, which then may be gone.
    pub fn unlink(&mut self, ino: Ino, now: Timestamp) {
        let inode = self.inodes.get_mut(&ino).unwrap();
        inode.attr.nlink = if inode.attr.kind == Kind::Dir { 0 } else { inode.attr.nlink - 1 };
        inode.attr.ctime = now;
        self.reap(ino);
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Timestamp) -> Result<(), Error> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > MAX_SIZE) {
            return Err(Error::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let (attr, content) = self.file(ino)?;
        content.write(offset, bytes);
        (attr.size, attr.mtime, attr.ctime) = (content.len, now, now);
        Ok(())
    }
}

/// Takes set-uid away, and set-gid where it means what its name says.
fn drop_privileges(attr: &mut Attr) {
    attr.perm &= !0o4000;
    attr.perm &= if attr.perm & 0o010 != 0 { !0o2000 } else { !0 };
}

impl Files for Model {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        let mut state = self.lock();
        let ino = state.find(parent, name)?.ok_or(Error::NotFound)?;
        Ok(state.looked_up(ino))
    }

    fn forget(&self, ino: Ino, count: u64) {
        let mut state = self.lock();
        if let Ok(inode) = state.inode(ino) {
            assert!(inode.lookups >= count, "inode {ino} is forgotten more often than it was looked up");
            inode.lookups -= count;
        }
        state.reap(ino);
    }

    fn getattr(&self, ino: Ino) -> Result<Attr, Error> {
        Ok(self.lock().inode(ino)?.attr.clone())
    }

    fn allocated_bytes(&self, ino: Ino) -> Result<u64, Error> {
        Ok(self.getattr(ino)?.size)
    }

    fn setattr(&self, caller: Caller, ino: Ino, set: &SetAttr) -> Result<Attr, Error> {
        let mut state = self.lock();
        if let Some(size) = set.size {
            let (attr, content) = state.file(ino)?;
            if size > MAX_SIZE {
                return Err(Error::TooLarge);
            }
            content.set_len(size);
            (attr.size, attr.mtime) = (size, caller.now);
        }
        let time = |set: SetTime| match set {
            SetTime::Now => caller.now,
            SetTime::At(time) => time,
        };
        let attr = &mut state.inode(ino)?.attr;
        if (set.uid.is_some() || set.gid.is_some()) && attr.kind != Kind::Dir {
            drop_privileges(attr);
        }
        attr.perm = set.perm.unwrap_or(attr.perm) & 0o7777;
        attr.uid = set.uid.unwrap_or(attr.uid);
        attr.gid = set.gid.unwrap_or(attr.gid);
        attr.atime = set.atime.map_or(attr.atime, time);
        attr.mtime = set.mtime.map_or(attr.mtime, time);
        attr.ctime = set.ctime.unwrap_or(caller.now);
        Ok(attr.clone())
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>, Error> {
        match &self.lock().inode(ino)?.body {
            Body::Symlink(target) => Ok(target.clone()),
            _ => Err(Error::Invalid),
        }
    }

    fn mknod(&self, caller: Caller, parent: Ino, name: &[u8], kind: Kind, perm: u16, rdev: u32) -> Result<Attr, Error> {
        let body = if kind == Kind::File { Body::File(Sparse::default()) } else { Body::Special };
        self.lock().make(caller, parent, name, (kind, perm, rdev), body)
    }

    fn mkdir(&self, caller: Caller, parent: Ino, name: &[u8], perm: u16) -> Result<Attr, Error> {
        let body = Body::Dir(Dir { parent, entries: BTreeMap::new(), next_cookie: 3 });
        self.lock().make(caller, parent, name, (Kind::Dir, perm, 0), body)
    }

    fn symlink(&self, caller: Caller, parent: Ino, name: &[u8], target: &[u8]) -> Result<Attr, Error> {
        self.lock().make(caller, parent, name, (Kind::Symlink, 0o777, 0), Body::Symlink(target.to_vec()))
    }

    fn link(&self, caller: Caller, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        let mut state = self.lock();
        state.check_new(parent, name)?;
        match state.inode(ino)?.attr {
            Attr { kind: Kind::Dir, .. } => return Err(Error::NotPermitted),
            Attr { nlink: 0, .. } => return Err(Error::NotFound),
            _ => {}
        }
        state.insert(parent, name, ino);
        state.touch_dir(parent, caller.now);
        let attr = &mut state.inode(ino)?.attr;
        (attr.nlink, attr.ctime) = (attr.nlink + 1, caller.now);
        Ok(state.looked_up(ino))
    }

    fn unlink(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        let mut state = self.lock();
        let ino = state.find(parent, name)?.ok_or(Error::NotFound)?;
        if state.inode(ino)?.attr.kind == Kind::Dir {
            return Err(Error::IsDir);
        }
        state.dir(parent)?.entries.remove(name);
        state.touch_dir(parent, caller.now);
        state.unlink(ino, caller.now);
        Ok(())
    }

    fn rmdir(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        let mut state = self.lock();
        let ino = state.find(parent, name)?.ok_or(Error::NotFound)?;
        if !state.dir(ino)?.entries.is_empty() {
            return Err(Error::NotEmpty);
        }
        state.dir(parent)?.entries.remove(name);
        state.inode(parent)?.attr.nlink -= 1;
        state.touch_dir(parent, caller.now);
        state.unlink(ino, caller.now);
        Ok(())
    }

    fn rename(&self, caller: Caller, from: (Ino, &[u8]), to: (Ino, &[u8]), mode: RenameMode) -> Result<(), Error> {
        super::model_rename::rename(&mut self.lock(), caller, from, to, mode)
    }

    fn read(&self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        Ok(self.lock().file(ino)?.1.read(offset, buf))
    }

    fn write(&self, caller: Caller, ino: Ino, offset: u64, bytes: &[u8], kill_priv: bool) -> Result<(), Error> {
        let mut state = self.lock();
        state.write(ino, offset, bytes, caller.now)?;
        if kill_priv && !bytes.is_empty() {
            drop_privileges(&mut state.inode(ino)?.attr);
        }
        Ok(())
    }

    fn fallocate(&self, caller: Caller, ino: Ino, offset: u64, len_bytes: u64, how: Falloc) -> Result<(), Error> {
        let end = offset.checked_add(len_bytes).filter(|&end| end <= MAX_SIZE).ok_or(Error::TooLarge)?;
        if len_bytes == 0 {
            return Err(Error::Invalid);
        }
        let punch = how.contains(Falloc::PUNCH_HOLE);
        if punch && how != Falloc::PUNCH_HOLE | Falloc::KEEP_SIZE {
            return Err(Error::Unsupported);
        }
        let mut state = self.lock();
        let (attr, content) = state.file(ino)?;
        if punch || how.contains(Falloc::ZERO_RANGE) {
            content.zero(offset, len_bytes);
        }
        if !how.contains(Falloc::KEEP_SIZE) {
            content.len = content.len.max(end);
        }
        (attr.size, attr.mtime, attr.ctime) = (content.len, caller.now, caller.now);
        Ok(())
    }

    fn seek(&self, ino: Ino, offset: u64, what: Whence) -> Result<u64, Error> {
        let mut state = self.lock();
        let (attr, content) = state.file(ino)?;
        if offset >= attr.size {
            return Err(Error::NoData);
        }
        match what {
            Whence::Data => content.seek(offset, true).ok_or(Error::NoData),
            Whence::Hole => Ok(content.seek(offset, false).unwrap_or(attr.size)),
        }
    }

    fn copy_range(&self, caller: Caller, from: (Ino, u64), to: (Ino, u64), len_bytes: u64) -> Result<u64, Error> {
        let mut state = self.lock();
        state.file(to.0)?;
        let source = state.file(from.0)?.1;
        let count = source.len.saturating_sub(from.1).min(len_bytes);
        if from.0 == to.0 && from.1 < to.1 + count && to.1 < from.1 + count {
            return Err(Error::Invalid);
        }
        let bytes = source.bytes(from.1.min(source.len), count);
        state.write(to.0, to.1, &bytes, caller.now)?;
        if count > 0 && caller.uid != 0 {
            drop_privileges(&mut state.inode(to.0)?.attr);
        }
        Ok(count)
    }

    fn read_dir(
        &self,
        ino: Ino,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        let dir = state.dir(ino)?.clone();
        let dots = [(1, ino, &b"."[..]), (2, dir.parent, &b".."[..])];
        for (at, ino, name) in dots {
            if at > cookie && !each(DirEntry { ino, kind: Kind::Dir, name, cookie: at, attr: None, allocated_bytes: 0 })
            {
                return Ok(());
            }
        }
        let mut entries: Vec<_> = dir.entries.iter().filter(|(_, (_, at))| *at > cookie).collect();
        entries.sort_by_key(|(_, (_, at))| *at);
        for (name, &(ino, cookie)) in entries {
            let attr = &state.inode(ino)?.attr.clone();
            let shown = with_attr.then_some(attr);
            if !each(DirEntry { ino, kind: attr.kind, name, cookie, attr: shown, allocated_bytes: attr.size }) {
                break;
            }
            state.inode(ino)?.lookups += u64::from(with_attr);
        }
        Ok(())
    }

    fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Arc<[u8]>, Error> {
        self.lock().inode(ino)?.xattrs.get(name).map(|value| value.as_slice().into()).ok_or(Error::NoAttr)
    }

    fn setxattr(&self, caller: Caller, ino: Ino, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Error> {
        let mut state = self.lock();
        let inode = state.inode(ino)?;
        match (mode, inode.xattrs.contains_key(name)) {
            (XattrMode::Create, true) => return Err(Error::Exists),
            (XattrMode::Replace, false) => return Err(Error::NoAttr),
            _ => {}
        }
        inode.xattrs.insert(name.to_vec(), value.to_vec());
        inode.attr.ctime = caller.now;
        Ok(())
    }

    fn listxattr(&self, ino: Ino) -> Result<Vec<Box<[u8]>>, Error> {
        Ok(self.lock().inode(ino)?.xattrs.keys().map(|name| name.as_slice().into()).collect())
    }

    fn removexattr(&self, caller: Caller, ino: Ino, name: &[u8]) -> Result<(), Error> {
        let mut state = self.lock();
        let inode = state.inode(ino)?;
        inode.xattrs.remove(name).ok_or(Error::NoAttr)?;
        inode.attr.ctime = caller.now;
        Ok(())
    }

    fn fsync(&self, ino: Ino) -> Result<(), Error> {
        self.lock().inode(ino).map(drop)
    }

    fn statfs(&self) -> Result<Space, Error> {
        Ok(Space::default())
    }
}
