//! A file system in memory, as small as the tests of the mount need: no permissions, no limits, no durability.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use aether::model::{Attr, Ino, Kind, ROOT_INO, Timestamp};
use aether::overlay::{Caller, DirEntry, Error, Falloc, Files, RenameMode, SetAttr, SetTime, Space, Whence, XattrMode};

struct Inode {
    attr: Attr,
    data: Vec<u8>,
    entries: BTreeMap<Vec<u8>, (Ino, u64)>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub struct State {
    inodes: HashMap<Ino, Inode>,
    next_ino: Ino,
    next_cookie: u64,
    /// Look-ups the kernel has not forgotten yet.
    pub looked_up: HashMap<Ino, u64>,
    /// The sets of attributes that were asked for.
    pub set_attrs: Vec<SetAttr>,
    /// Whether each write was to clear set-uid.
    pub kills: Vec<bool>,
    /// How often something was to be made durable.
    pub syncs: u64,
}

pub struct Memory(Mutex<State>);

impl Memory {
    pub fn new() -> Self {
        let mut root = Attr::new(ROOT_INO, Kind::Dir, 0o755, 0, 0, Timestamp::new(1, 0));
        root.perm = 0o1777;
        let root = Inode { attr: root, data: Vec::new(), entries: BTreeMap::new(), xattrs: BTreeMap::new() };
        Self(Mutex::new(State {
            inodes: HashMap::from([(ROOT_INO, root)]),
            next_ino: 2,
            next_cookie: 3,
            looked_up: HashMap::new(),
            set_attrs: Vec::new(),
            kills: Vec::new(),
            syncs: 0,
        }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Adds a file behind the kernel's back.
    pub fn add(&self, parent: Ino, name: &[u8], content: &[u8]) -> Ino {
        let mut state = self.state();
        let ino = state.make(caller(), parent, name, Kind::File, 0o644).unwrap().ino;
        state.inode(ino).unwrap().data = content.to_vec();
        state.inode(ino).unwrap().attr.size = content.len() as u64;
        ino
    }

    /// Changes a file's content behind the kernel's back.
    pub fn rewrite(&self, ino: Ino, content: &[u8]) {
        let mut state = self.state();
        let inode = state.inode(ino).unwrap();
        inode.data = content.to_vec();
        inode.attr.size = content.len() as u64;
    }
}

fn caller() -> Caller {
    Caller { uid: 0, gid: 0, umask: 0, now: Timestamp::new(1, 0), request: 0 }
}

impl State {
    fn inode(&mut self, ino: Ino) -> Result<&mut Inode, Error> {
        self.inodes.get_mut(&ino).ok_or(Error::Stale)
    }

    fn child(&mut self, parent: Ino, name: &[u8]) -> Result<Ino, Error> {
        self.inode(parent)?.entries.get(name).map(|&(ino, _)| ino).ok_or(Error::NotFound)
    }

    fn enter(&mut self, parent: Ino, name: &[u8], ino: Ino) -> Result<(), Error> {
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        self.inode(parent)?.entries.insert(name.to_vec(), (ino, cookie));
        Ok(())
    }

    fn make(&mut self, caller: Caller, parent: Ino, name: &[u8], kind: Kind, perm: u16) -> Result<Attr, Error> {
        if self.child(parent, name).is_ok() {
            return Err(Error::Exists);
        }
        let ino = self.next_ino;
        self.next_ino += 1;
        let attr = Attr::new(ino, kind, perm & !caller.umask, caller.uid, caller.gid, caller.now);
        let inode = Inode { attr: attr.clone(), data: Vec::new(), entries: BTreeMap::new(), xattrs: BTreeMap::new() };
        self.inodes.insert(ino, inode);
        self.enter(parent, name, ino)?;
        Ok(attr)
    }

    fn looked_up(&mut self, attr: Attr) -> Attr {
        *self.looked_up.entry(attr.ino).or_default() += 1;
        attr
    }
}

impl Files for Memory {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        assert!(name != b"a bug", "the name of a bug was asked for");
        let mut state = self.state();
        let ino = state.child(parent, name)?;
        let attr = state.inode(ino)?.attr.clone();
        Ok(state.looked_up(attr))
    }

    fn forget(&self, ino: Ino, count: u64) {
        let mut state = self.state();
        let left = state.looked_up.entry(ino).or_default();
        *left = left.checked_sub(count).expect("the kernel forgets no more than it looked up");
    }

    fn getattr(&self, ino: Ino) -> Result<Attr, Error> {
        Ok(self.state().inode(ino)?.attr.clone())
    }

    fn allocated_bytes(&self, ino: Ino) -> Result<u64, Error> {
        Ok(self.getattr(ino)?.size)
    }

    fn setattr(&self, caller: Caller, ino: Ino, set: &SetAttr) -> Result<Attr, Error> {
        let mut state = self.state();
        state.set_attrs.push(*set);
        let inode = state.inode(ino)?;
        let at = |time| match time {
            SetTime::Now => caller.now,
            SetTime::At(time) => time,
        };
        let attr = &mut inode.attr;
        if set.kill_priv && attr.kind != Kind::Dir {
            attr.perm &= if attr.perm & 0o010 == 0 { !0o4000 } else { !0o6000 };
        }
        attr.perm = set.perm.unwrap_or(attr.perm);
        attr.uid = set.uid.unwrap_or(attr.uid);
        attr.gid = set.gid.unwrap_or(attr.gid);
        attr.atime = set.atime.map_or(attr.atime, at);
        attr.mtime = set.mtime.map_or(attr.mtime, at);
        attr.ctime = set.ctime.unwrap_or(caller.now);
        if let Some(size) = set.size {
            attr.size = size;
            inode.data.resize(size as usize, 0);
        }
        Ok(inode.attr.clone())
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>, Error> {
        Ok(self.state().inode(ino)?.data.clone())
    }

    fn mknod(&self, caller: Caller, parent: Ino, name: &[u8], kind: Kind, perm: u16, rdev: u32) -> Result<Attr, Error> {
        let mut state = self.state();
        let ino = state.make(caller, parent, name, kind, perm)?.ino;
        state.inode(ino)?.attr.rdev = rdev;
        let attr = state.inode(ino)?.attr.clone();
        Ok(state.looked_up(attr))
    }

    fn mkdir(&self, caller: Caller, parent: Ino, name: &[u8], perm: u16) -> Result<Attr, Error> {
        let mut state = self.state();
        let attr = state.make(caller, parent, name, Kind::Dir, perm)?;
        Ok(state.looked_up(attr))
    }

    fn symlink(&self, caller: Caller, parent: Ino, name: &[u8], target: &[u8]) -> Result<Attr, Error> {
        let mut state = self.state();
        let ino = state.make(caller, parent, name, Kind::Symlink, 0o777)?.ino;
        let inode = state.inode(ino)?;
        inode.data = target.to_vec();
        inode.attr.size = target.len() as u64;
        let attr = inode.attr.clone();
        Ok(state.looked_up(attr))
    }

    fn link(&self, _caller: Caller, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        let mut state = self.state();
        state.enter(parent, name, ino)?;
        state.inode(ino)?.attr.nlink += 1;
        let attr = state.inode(ino)?.attr.clone();
        Ok(state.looked_up(attr))
    }

    fn unlink(&self, _caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        let mut state = self.state();
        let ino = state.child(parent, name)?;
        state.inode(parent)?.entries.remove(name);
        state.inode(ino)?.attr.nlink -= 1;
        Ok(())
    }

    fn rmdir(&self, _caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        let mut state = self.state();
        let ino = state.child(parent, name)?;
        if !state.inode(ino)?.entries.is_empty() {
            return Err(Error::NotEmpty);
        }
        state.inode(parent)?.entries.remove(name);
        Ok(())
    }

    fn rename(&self, _caller: Caller, from: (Ino, &[u8]), to: (Ino, &[u8]), mode: RenameMode) -> Result<(), Error> {
        let mut state = self.state();
        let moved = state.child(from.0, from.1)?;
        let there = state.child(to.0, to.1).ok();
        match there {
            Some(_) if mode.contains(RenameMode::NO_REPLACE) => return Err(Error::Exists),
            None if mode.contains(RenameMode::EXCHANGE) => return Err(Error::NotFound),
            _ => {}
        }
        state.inode(from.0)?.entries.remove(from.1);
        state.enter(to.0, to.1, moved)?;
        match there {
            Some(other) if mode.contains(RenameMode::EXCHANGE) => state.enter(from.0, from.1, other),
            _ => Ok(()),
        }
    }

    fn read(&self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let mut state = self.state();
        let data = state.inode(ino)?.data.get(offset as usize..).unwrap_or(&[]);
        let count = data.len().min(buf.len());
        buf[..count].copy_from_slice(&data[..count]);
        Ok(count)
    }

    fn write(&self, caller: Caller, ino: Ino, offset: u64, bytes: &[u8], kill_priv: bool) -> Result<(), Error> {
        let mut state = self.state();
        state.kills.push(kill_priv);
        let inode = state.inode(ino)?;
        let end = offset as usize + bytes.len();
        inode.data.resize(inode.data.len().max(end), 0);
        inode.data[offset as usize..end].copy_from_slice(bytes);
        inode.attr.size = inode.data.len() as u64;
        inode.attr.mtime = caller.now;
        if kill_priv {
            inode.attr.perm &= 0o777;
        }
        Ok(())
    }

    fn fallocate(&self, _: Caller, _: Ino, _: u64, _: u64, _: Falloc) -> Result<(), Error> {
        Err(Error::Unsupported)
    }

    fn seek(&self, ino: Ino, offset: u64, what: Whence) -> Result<u64, Error> {
        let size = self.getattr(ino)?.size;
        match what {
            _ if offset >= size => Err(Error::NoData),
            Whence::Data => Ok(offset),
            Whence::Hole => Ok(size),
        }
    }

    fn copy_range(&self, caller: Caller, from: (Ino, u64), to: (Ino, u64), len_bytes: u64) -> Result<u64, Error> {
        let mut buffer = vec![0; len_bytes as usize];
        let count = self.read(from.0, from.1, &mut buffer)?;
        self.write(caller, to.0, to.1, &buffer[..count], false)?;
        Ok(count as u64)
    }

    fn read_dir(
        &self,
        ino: Ino,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let mut listed: Vec<(Vec<u8>, Ino, u64)> = vec![(b".".to_vec(), ino, 1), (b"..".to_vec(), ino, 2)];
        listed.extend(state.inode(ino)?.entries.iter().map(|(name, &(ino, cookie))| (name.clone(), ino, cookie)));
        listed.sort_by_key(|&(_, _, cookie)| cookie);
        for (name, ino, cookie) in listed.into_iter().filter(|&(_, _, own)| own > cookie) {
            let attr = state.inode(ino)?.attr.clone();
            let shown = (with_attr && cookie > 2).then_some(&attr);
            let kind = attr.kind;
            if !each(DirEntry { ino, kind, name: &name, cookie, attr: shown, allocated_bytes: attr.size }) {
                break;
            }
            if shown.is_some() {
                state.looked_up(attr);
            }
        }
        Ok(())
    }

    fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Arc<[u8]>, Error> {
        self.state().inode(ino)?.xattrs.get(name).map(|value| value.as_slice().into()).ok_or(Error::NoAttr)
    }

    fn setxattr(&self, _: Caller, ino: Ino, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Error> {
        let mut state = self.state();
        let xattrs = &mut state.inode(ino)?.xattrs;
        match (mode, xattrs.contains_key(name)) {
            (XattrMode::Create, true) => return Err(Error::Exists),
            (XattrMode::Replace, false) => return Err(Error::NoAttr),
            _ => xattrs.insert(name.to_vec(), value.to_vec()),
        };
        Ok(())
    }

    fn listxattr(&self, ino: Ino) -> Result<Vec<Box<[u8]>>, Error> {
        Ok(self.state().inode(ino)?.xattrs.keys().map(|name| name.as_slice().into()).collect())
    }

    fn removexattr(&self, _: Caller, ino: Ino, name: &[u8]) -> Result<(), Error> {
        self.state().inode(ino)?.xattrs.remove(name).map(drop).ok_or(Error::NoAttr)
    }

    fn fsync(&self, _: Ino) -> Result<(), Error> {
        self.state().syncs += 1;
        Ok(())
    }

    fn statfs(&self) -> Result<Space, Error> {
        Ok(Space {
            block_bytes: 4096,
            blocks: 1000,
            blocks_free: 600,
            blocks_available: 500,
            inodes: 70,
            inodes_free: 7,
        })
    }
}
