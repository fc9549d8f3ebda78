//! An open file of the simulated disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;

use super::fault::Op;
use super::image::Event;
use super::state::{BLOCK_BYTES, Number, SimInode, State, refuse};
use crate::disk::DiskFile;

#[derive(Debug)]
pub(super) struct SimFile {
    state: Arc<Mutex<State>>,
    number: Number,
    handle: u64,
    path: PathBuf,
}

impl SimFile {
    pub fn new(state: Arc<Mutex<State>>, number: Number, handle: u64, path: &Path) -> Self {
        Self { state, number, handle, path: path.to_owned() }
    }

    fn inode<'a>(&self, state: &'a mut State) -> &'a mut SimInode {
        state.files.entry(self.number).or_default()
    }

    /// Takes the blocks of a range, in order, as far as there is space; returns the end of what fits.
    fn take_blocks(&self, state: &mut State, offset: u64, end: u64) -> u64 {
        let free = state.capacity_bytes.map_or(u64::MAX, |all| all.saturating_sub(state.used_bytes()) / BLOCK_BYTES);
        let blocks = &mut self.inode(state).blocks;
        let mut taken = 0;
        for block in offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES) {
            if blocks.contains(&block) {
                continue;
            }
            if taken == free {
                return (block * BLOCK_BYTES).max(offset);
            }
            blocks.insert(block);
            taken += 1;
        }
        end
    }

    fn put(&self, state: &mut State, offset: u64, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let event = Event::Write { file: self.number, path: self.path.clone(), offset, bytes };
        event.apply_to(&mut self.inode(state).bytes);
        state.events.push(event);
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.state.lock().close(self.number, self.handle);
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        state.faults.call(Op::Read, &self.path)?;
        let bytes = &self.inode(&mut state).bytes;
        let from = bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let count = from.len().min(buf.len());
        buf[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bufs: &[&[u8]]) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut bytes = bufs.concat();
        if let Err(error) = state.faults.call(Op::Write, &self.path) {
            // How much of it was written depends on the call, so that tests see all sorts.
            let part = (state.faults.calls() as usize).wrapping_mul(2_654_435_761) % bytes.len().max(1);
            bytes.truncate(part);
            self.put(&mut state, offset, bytes);
            return Err(error);
        }
        let end = offset + bytes.len() as u64;
        let fits = self.take_blocks(&mut state, offset, end);
        bytes.truncate((fits - offset) as usize);
        self.put(&mut state, offset, bytes);
        if fits < end { refuse(&self.path, Errno::NOSPC) } else { Ok(()) }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.inode(&mut self.state.lock()).bytes.len() as u64)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.faults.call(Op::SetLen, &self.path)?;
        let event = Event::SetLen { file: self.number, path: self.path.clone(), len_bytes };
        let inode = self.inode(&mut state);
        event.apply_to(&mut inode.bytes);
        inode.blocks.split_off(&len_bytes.div_ceil(BLOCK_BYTES));
        state.events.push(event);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        // What it covers is what was written before it began, so it is recorded before the time passes.
        let mut state = self.state.lock();
        let result = state.faults.call(Op::SyncData, &self.path);
        state.events.push(Event::SyncData { file: self.number, path: self.path.clone(), done: result.is_ok() });
        let time = state.sync_time;
        drop(state);
        std::thread::sleep(time);
        result
    }

    fn punch(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.faults.call(Op::Punch, &self.path)?;
        let event = Event::Punch { file: self.number, path: self.path.clone(), offset, len_bytes };
        let inode = self.inode(&mut state);
        event.apply_to(&mut inode.bytes);
        let whole = offset.div_ceil(BLOCK_BYTES)..(offset + len_bytes) / BLOCK_BYTES;
        inode.blocks.retain(|block| !whole.contains(block));
        state.events.push(event);
        Ok(())
    }

    fn allocate(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.faults.call(Op::Allocate, &self.path)?;
        let before = self.inode(&mut state).blocks.clone();
        if self.take_blocks(&mut state, offset, offset + len_bytes) < offset + len_bytes {
            self.inode(&mut state).blocks = before;
            return refuse(&self.path, Errno::NOSPC);
        }
        Ok(())
    }

    fn has_other_names(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn allocated_bytes(&self) -> io::Result<u64> {
        Ok(self.inode(&mut self.state.lock()).blocks.len() as u64 * BLOCK_BYTES)
    }

    fn try_lock(&self) -> io::Result<bool> {
        let handle = self.handle;
        let mut state = self.state.lock();
        let inode = self.inode(&mut state);
        if inode.shared_by.iter().any(|other| *other != handle) {
            return Ok(false);
        }
        let has = *inode.locked_by.get_or_insert(handle) == handle;
        if has {
            inode.shared_by.clear();
        }
        Ok(has)
    }

    fn try_lock_shared(&self) -> io::Result<bool> {
        let handle = self.handle;
        let mut state = self.state.lock();
        let inode = self.inode(&mut state);
        if inode.locked_by.is_some_and(|other| other != handle) {
            return Ok(false);
        }
        inode.locked_by = None;
        inode.shared_by.insert(handle);
        Ok(true)
    }
}
