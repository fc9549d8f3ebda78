//! Carries operations out on anything that is [`Files`], in the place of the kernel: it resolves paths, holds slots, and
//! counts look-ups so that it forgets exactly what it was given.

use std::collections::{BTreeMap, BTreeSet};

use aether::model::{Attr, Ino, Kind, ROOT_INO, Timestamp};
use aether::overlay::{Caller, Error, Files, Whence};

use super::operation::{Base, Op, SLOTS, Where};

/// What an operation gave back.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unit,
    Attr(Attr),
    Bytes(Vec<u8>),
    Number(u64),
    Names(BTreeSet<Vec<u8>>),
    Listing(BTreeMap<Vec<u8>, (Ino, Kind, Option<Attr>)>),
    /// A part of a listing, and whether it was the last.
    More(Vec<(Vec<u8>, Ino)>, bool),
    /// Where in which file a seek ended; nothing where it found nothing.
    Seek(Ino, Option<u64>),
}

/// Why an operation gave nothing back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The operation makes no sense here (an empty slot): nothing was done.
    Skipped,
    /// The class of the error.
    Refused(String),
    /// The session's own files failed.
    Upper(String),
    /// The file system broke a rule of its own interface.
    Broken(String),
}

pub type Outcome = Result<Value, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // Both are EINVAL to a program.
            Error::IntoItself => Self::Refused("Invalid".into()),
            Error::Upper(error) => Self::Upper(error.to_string()),
            error => Self::Refused(format!("{error:?}")),
        }
    }
}

/// Takes one entry of a listing.
type Each<'a> = &'a mut dyn FnMut(&[u8], Ino, Kind, Option<Attr>);

/// A listing under way.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    pub dir: Ino,
    pub cookie: u64,
    pub done: bool,
}

/// A file system with what its kernel remembers of it.
pub struct Runner<F> {
    pub files: F,
    refs: BTreeMap<Ino, u64>,
    slots: [Option<Ino>; SLOTS],
    pub cursor: Option<Cursor>,
}

/// The time that the operation with this number happens at.
pub fn time_of(step: usize) -> Timestamp {
    Timestamp::new(1_750_000_000 + step as i64, (step as u32).wrapping_mul(7_654_321) % 1_000_000_000)
}

impl<F: Files> Runner<F> {
    pub fn new(files: F) -> Self {
        Self { files, refs: BTreeMap::new(), slots: [None; SLOTS], cursor: None }
    }

    /// Goes on with another process: nothing is remembered.
    pub fn reset(&mut self, files: F) {
        *self = Self::new(files);
    }

    /// What the kernel remembers; the root always.
    pub fn held(&self) -> BTreeSet<Ino> {
        let refs = self.refs.iter().filter(|(_, count)| **count > 0).map(|(ino, _)| *ino);
        refs.chain([aether::model::ROOT_INO]).collect()
    }

    /// What is open.
    pub fn open(&self) -> BTreeSet<Ino> {
        self.slots.iter().flatten().copied().collect()
    }

    /// Closes everything, and has the kernel forget it.
    pub fn close_all(&mut self) {
        (self.slots, self.cursor) = ([None; SLOTS], None);
        self.forget();
    }

    fn count(&mut self, attr: &Attr) {
        *self.refs.entry(attr.ino).or_default() += 1;
    }

    fn made(&mut self, attr: Result<Attr, Error>) -> Outcome {
        let attr = attr?;
        self.count(&attr);
        Ok(Value::Attr(attr))
    }

    fn base(&self, base: Base) -> Result<Ino, Failure> {
        match base {
            Base::Root => Ok(ROOT_INO),
            Base::Slot(slot) => self.slots[slot].ok_or(Failure::Skipped),
        }
    }

    /// The inode that the path leads to.
    pub fn resolve(&mut self, at: &Where) -> Result<Ino, Failure> {
        let mut ino = self.base(at.base)?;
        for name in &at.names {
            let attr = self.files.lookup(ino, name)?;
            self.count(&attr);
            ino = attr.ino;
        }
        Ok(ino)
    }

    fn parent<'a>(&mut self, at: &'a Where) -> Result<(Ino, &'a [u8]), Failure> {
        let (name, dirs) = at.names.split_last().ok_or(Failure::Skipped)?;
        Ok((self.resolve(&Where { base: at.base, names: dirs.to_vec() })?, name))
    }

    /// Carries one operation out.
    pub fn run(&mut self, step: usize, op: &Op) -> Outcome {
        let caller = Caller { uid: 0, gid: 0, umask: 0, now: time_of(step), request: 0 };
        match op {
            Op::Mknod { .. } | Op::Mkdir { .. } | Op::Symlink { .. } | Op::Link { .. } => self.run_make(caller, op),
            Op::Unlink { at } => {
                let (dir, name) = self.parent(at)?;
                Ok(self.files.unlink(caller, dir, name).map(|()| Value::Unit)?)
            }
            Op::Rmdir { at } => {
                let (dir, name) = self.parent(at)?;
                Ok(self.files.rmdir(caller, dir, name).map(|()| Value::Unit)?)
            }
            Op::Rename { from, to, mode } => {
                let (from, to) = (self.parent(from)?, self.parent(to)?);
                Ok(self.files.rename(caller, from, to, *mode).map(|()| Value::Unit)?)
            }
            Op::SetAttr { at, set } => {
                let ino = self.resolve(at)?;
                Ok(Value::Attr(self.files.setattr(caller, ino, set)?))
            }
            Op::Stat { at } => {
                let ino = self.resolve(at)?;
                Ok(Value::Attr(self.files.getattr(ino)?))
            }
            Op::Readlink { at } => {
                let ino = self.resolve(at)?;
                Ok(Value::Bytes(self.files.readlink(ino)?))
            }
            Op::Fsync { at } => {
                let ino = self.resolve(at)?;
                Ok(self.files.fsync(ino).map(|()| Value::Unit)?)
            }
            Op::SetXattr { .. } | Op::GetXattr { .. } | Op::ListXattr { .. } | Op::RemoveXattr { .. } => {
                self.run_xattr(caller, op)
            }
            Op::List { .. } | Op::StartList { .. } | Op::MoreList { .. } => self.run_list(op),
            Op::Open { at, slot } => {
                self.slots[*slot] = Some(self.resolve(at)?);
                Ok(Value::Unit)
            }
            Op::Close { slot } => {
                self.slots[*slot] = None;
                Ok(Value::Unit)
            }
            Op::Forget => {
                self.forget();
                Ok(Value::Unit)
            }
            Op::Remount => Ok(Value::Unit),
            _ => self.run_data(caller, op),
        }
    }

    fn run_make(&mut self, caller: Caller, op: &Op) -> Outcome {
        let made = match op {
            Op::Mknod { at, kind, perm, rdev } => {
                let (dir, name) = self.parent(at)?;
                self.files.mknod(caller, dir, name, *kind, *perm, *rdev)
            }
            Op::Mkdir { at, perm } => {
                let (dir, name) = self.parent(at)?;
                self.files.mkdir(caller, dir, name, *perm)
            }
            Op::Symlink { at, target } => {
                let (dir, name) = self.parent(at)?;
                self.files.symlink(caller, dir, name, target)
            }
            Op::Link { from, to } => {
                let (ino, (dir, name)) = (self.resolve(from)?, self.parent(to)?);
                self.files.link(caller, ino, dir, name)
            }
            other => unreachable!("{other:?} makes nothing"),
        };
        self.made(made)
    }

    fn run_data(&mut self, caller: Caller, op: &Op) -> Outcome {
        match op {
            Op::Write { at, offset, what, kill_priv } => {
                let ino = self.resolve(at)?;
                Ok(self.files.write(caller, ino, *offset, &what.bytes(), *kill_priv).map(|()| Value::Unit)?)
            }
            Op::Read { at, offset, len } => {
                let ino = self.resolve(at)?;
                let mut buf = vec![0xee; *len];
                let count = self.files.read(ino, *offset, &mut buf)?;
                buf.truncate(count);
                Ok(Value::Bytes(buf))
            }
            Op::Fallocate { at, offset, len, how } => {
                let ino = self.resolve(at)?;
                Ok(self.files.fallocate(caller, ino, *offset, *len, *how).map(|()| Value::Unit)?)
            }
            Op::CopyRange { from, from_offset, to, to_offset, len } => {
                let (from, to) = (self.resolve(from)?, self.resolve(to)?);
                Ok(Value::Number(self.files.copy_range(caller, (from, *from_offset), (to, *to_offset), *len)?))
            }
            Op::Seek { at, offset, what } => {
                let ino = self.resolve(at)?;
                match self.files.seek(ino, *offset, *what) {
                    Ok(found) => Ok(Value::Seek(ino, Some(found))),
                    Err(Error::NoData) => Ok(Value::Seek(ino, None)),
                    Err(error) => Err(error.into()),
                }
            }
            other => unreachable!("{other:?} touches no data"),
        }
    }

    fn run_xattr(&mut self, caller: Caller, op: &Op) -> Outcome {
        match op {
            Op::SetXattr { at, name, value, mode } => {
                let ino = self.resolve(at)?;
                Ok(self.files.setxattr(caller, ino, name, &value.bytes(), *mode).map(|()| Value::Unit)?)
            }
            Op::GetXattr { at, name } => {
                let ino = self.resolve(at)?;
                Ok(Value::Bytes(self.files.getxattr(ino, name)?.to_vec()))
            }
            Op::ListXattr { at } => {
                let ino = self.resolve(at)?;
                Ok(Value::Names(self.files.listxattr(ino)?.into_iter().map(Vec::from).collect()))
            }
            Op::RemoveXattr { at, name } => {
                let ino = self.resolve(at)?;
                Ok(self.files.removexattr(caller, ino, name).map(|()| Value::Unit)?)
            }
            other => unreachable!("{other:?} is about no attribute"),
        }
    }

    fn run_list(&mut self, op: &Op) -> Outcome {
        match op {
            Op::List { at, step, with_attr } => {
                let dir = self.resolve(at)?;
                self.list(dir, *step, *with_attr)
            }
            Op::StartList { at } => {
                let dir = self.resolve(at)?;
                self.files.read_dir(dir, 0, false, &mut |_| false)?;
                self.cursor = Some(Cursor { dir, cookie: 0, done: false });
                Ok(Value::Unit)
            }
            Op::MoreList { count } => {
                let mut cursor = self.cursor.filter(|cursor| !cursor.done).ok_or(Failure::Skipped)?;
                let mut found = Vec::new();
                cursor.cookie = self.page(cursor.dir, cursor.cookie, *count, false, &mut |name, ino, _, _| {
                    found.push((name.to_vec(), ino));
                })?;
                cursor.done = found.len() < *count;
                self.cursor = Some(cursor);
                Ok(Value::More(found, cursor.done))
            }
            other => unreachable!("{other:?} lists nothing"),
        }
    }

    /// One page of a listing; returns the cookie to go on from.
    fn page(&mut self, dir: Ino, start: u64, count: usize, with_attr: bool, each: Each<'_>) -> Result<u64, Failure> {
        let (mut cookie, mut taken, mut refs) = (start, 0, Vec::new());
        self.files.read_dir(dir, start, with_attr, &mut |entry| {
            if taken == count {
                return false;
            }
            (taken, cookie) = (taken + 1, entry.cookie);
            refs.extend(entry.attr.cloned());
            each(entry.name, entry.ino, entry.kind, entry.attr.cloned());
            true
        })?;
        refs.iter().for_each(|attr| self.count(attr));
        Ok(cookie)
    }

    fn list(&mut self, dir: Ino, step: usize, with_attr: bool) -> Outcome {
        let (mut all, mut cookie) = (BTreeMap::new(), 0);
        let dead = self.files.getattr(dir)?.nlink == 0;
        loop {
            let (mut taken, mut fault) = (0, None);
            cookie = self.page(dir, cookie, step, with_attr, &mut |name, ino, kind, attr| {
                taken += 1;
                let dots = name == b"." || name == b"..";
                if attr.is_some() != (with_attr && !dots) {
                    fault = Some(format!("`{}` has attributes against the rules", name.escape_ascii()));
                }
                if attr.as_ref().is_some_and(|attr| attr.ino != ino || attr.kind != kind) {
                    fault = Some(format!("`{}` is listed unlike its attributes", name.escape_ascii()));
                }
                if all.insert(name.to_vec(), (ino, kind, attr)).is_some() {
                    fault = Some(format!("`{}` is listed twice", name.escape_ascii()));
                }
            })?;
            if let Some(fault) = fault {
                return Err(Failure::Broken(fault));
            }
            if taken < step {
                break;
            }
        }
        if dead {
            all.retain(|name, _| name != b"." && name != b"..");
        }
        Ok(Value::Listing(all))
    }

    fn forget(&mut self) {
        let held: BTreeSet<Ino> =
            self.slots.iter().flatten().copied().chain(self.cursor.map(|cursor| cursor.dir)).collect();
        for (&ino, count) in &mut self.refs {
            let keep = u64::from(held.contains(&ino));
            if *count > keep {
                self.files.forget(ino, *count - keep);
                *count = keep;
            }
        }
        self.refs.retain(|_, count| *count > 0);
    }
}

/// Whether a seek in this content may end there: what it passes over must be as it says, and it must stay in the file.
pub fn seek_holds(content: &super::sparse::Sparse, from: u64, what: Whence, end: Option<u64>) -> bool {
    match (what, end) {
        (_, None) if from >= content.len => true,
        (Whence::Data, None) => content.is_zero(from, content.len),
        (Whence::Hole, None) => false,
        (_, Some(_)) if from >= content.len => false,
        (Whence::Data, Some(end)) => end >= from && end < content.len && content.is_zero(from, end),
        (Whence::Hole, Some(end)) => end >= from && end <= content.len && content.is_zero(end, end + 1),
    }
}
