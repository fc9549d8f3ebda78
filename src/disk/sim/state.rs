//! What the simulated disk holds, and the operations on names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::fault::{Faults, Op};
use super::image::Event;
use crate::disk::Open;
use crate::disk::real::at;

pub(super) const BLOCK_BYTES: u64 = 4096;

/// A file's number: stays with it through renames, is never given twice.
pub(super) type Number = u64;

#[derive(Debug, Default)]
pub(super) struct SimInode {
    pub bytes: Vec<u8>,
    /// Blocks that take space, also beyond the end.
    pub blocks: BTreeSet<u64>,
    /// Open handles.
    pub handles: u64,
    pub named: bool,
    /// The handle that holds the lock.
    pub locked_by: Option<u64>,
    /// The handles that share it.
    pub shared_by: BTreeSet<u64>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub files: HashMap<Number, SimInode>,
    pub names: BTreeMap<PathBuf, Number>,
    pub dirs: BTreeSet<PathBuf>,
    pub next: u64,
    pub events: Vec<Event>,
    pub faults: Faults,
    pub capacity_bytes: Option<u64>,
    pub sync_time: Duration,
}

pub(super) fn refuse<T>(path: &Path, errno: Errno) -> io::Result<T> {
    Err(at(path, io::Error::from(errno)))
}

impl State {
    pub fn used_bytes(&self) -> u64 {
        self.files.values().map(|file| file.blocks.len() as u64 * BLOCK_BYTES).sum()
    }

    fn has_dir(&self, dir: &Path) -> bool {
        dir.parent().is_none() || self.dirs.contains(dir)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn open(&mut self, path: &Path, how: Open) -> io::Result<(Number, u64)> {
        self.faults.call(Op::Open, path)?;
        let number = match (self.names.get(path), how) {
            (Some(_), Open::CreateNew) => return refuse(path, Errno::EXIST),
            (Some(number), _) => *number,
            (None, Open::Read | Open::Write) => return refuse(path, Errno::NOENT),
            (None, Open::CreateNew | Open::CreateOrWrite) => {
                if !path.parent().is_some_and(|dir| self.has_dir(dir)) {
                    return refuse(path, Errno::NOENT);
                }
                let number = self.number();
                self.files.insert(number, SimInode { named: true, ..SimInode::default() });
                self.names.insert(path.to_owned(), number);
                self.events.push(Event::Create { path: path.to_owned(), file: number });
                number
            }
        };
        self.files.entry(number).or_default().handles += 1;
        Ok((number, self.number()))
    }

    pub fn close(&mut self, number: Number, handle: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.handles -= 1;
            if file.locked_by == Some(handle) {
                file.locked_by = None;
            }
            file.shared_by.remove(&handle);
        }
        self.forget_unused(number);
    }

    fn forget_unused(&mut self, number: Number) {
        if self.files.get(&number).is_some_and(|file| file.handles == 0 && !file.named) {
            self.files.remove(&number);
        }
    }

    fn unname(&mut self, number: Number) {
        if let Some(file) = self.files.get_mut(&number) {
            file.named = false;
        }
        self.forget_unused(number);
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.call(Op::Rename, to)?;
        let Some(number) = self.names.remove(from) else { return refuse(from, Errno::NOENT) };
        if let Some(replaced) = self.names.insert(to.to_owned(), number)
            && replaced != number
        {
            self.unname(replaced);
        }
        self.events.push(Event::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.faults.call(Op::Remove, path)?;
        let Some(number) = self.names.remove(path) else { return refuse(path, Errno::NOENT) };
        self.unname(number);
        self.events.push(Event::Remove { path: path.to_owned() });
        Ok(())
    }

    pub fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        self.faults.call(Op::RemoveDir, path)?;
        if !self.dirs.contains(path) {
            return refuse(path, Errno::NOENT);
        }
        if !self.entries(path).is_empty() {
            return refuse(path, Errno::NOTEMPTY);
        }
        self.dirs.remove(path);
        self.events.push(Event::RemoveDir { path: path.to_owned() });
        Ok(())
    }

    pub fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.faults.call(Op::CreateDir, path)?;
        let mut missing: Vec<&Path> = path.ancestors().take_while(|dir| !self.has_dir(dir)).collect();
        while let Some(dir) = missing.pop() {
            self.dirs.insert(dir.to_owned());
            self.events.push(Event::CreateDir { path: dir.to_owned() });
        }
        Ok(())
    }

    fn entries(&self, dir: &Path) -> Vec<PathBuf> {
        let inside = |path: &&PathBuf| path.parent() == Some(dir);
        self.names.keys().filter(inside).chain(self.dirs.iter().filter(inside)).cloned().collect()
    }

    pub fn list(&mut self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.faults.call(Op::List, dir)?;
        if self.has_dir(dir) { Ok(self.entries(dir)) } else { refuse(dir, Errno::NOENT) }
    }

    pub fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if !self.has_dir(dir) {
            return refuse(dir, Errno::NOENT);
        }
        self.faults.call(Op::SyncDir, dir)?;
        self.events.push(Event::SyncDir { path: dir.to_owned() });
        Ok(())
    }
}
