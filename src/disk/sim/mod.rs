//! A disk in memory that records what happens to it, fails on demand, and shows what a power cut leaves.
//!
//! It is for tests of everything that claims durability. Three things can be done with it:
//!
//! - **Faults** ([`SimDisk::fail`], [`SimDisk::set_capacity`]): the n-th call fails with an error number. A write that fails has
//!   written a part, never all of it. After a failed sync, what was to be synced is no longer dirty: as on Linux, a
//!   later sync that succeeds says nothing about it unless it is written again.
//! - **Recording** ([`SimDisk::events`]): every change and every sync, in order.
//! - **Power cuts** ([`SimDisk::after_power_cut`]): a new disk with what may be left when the power fails after a given event.
//!
//! What is kept at a power cut: the bytes and the length that a successful [`DiskFile::sync_data`] covered, and the
//! names that a successful [`Disk::sync_dir`] of their directory covered. Everything newer is kept, lost or torn as the
//! seed has it: bytes by sectors of 512 (each in any state it had since the sync), directory operations as a prefix
//! of their order, for some seeds one prefix for all directories (as a journal has it), for others one for each.
//! A synced file whose name was not synced can be lost: that is stricter than ext4 and allowed by POSIX.
//!
//! It does not model permissions, links, or a directory below a file.

mod fault;
mod file;
mod image;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

pub use fault::{Fault, Op};
pub use image::Event;

use super::{Disk, DiskFile, DiskSpace, File, Open};
use file::SimFile;
use state::State;

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk with no directories but the root.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk after events that were recorded elsewhere, as of a program that was watched.
    #[must_use]
    pub fn after_events(events: Vec<Event>) -> Self {
        let mut state = image::after_kill(&events);
        state.events = events;
        Self::of(state)
    }

    /// All directories but the root, from the top.
    #[must_use]
    pub fn dirs(&self) -> Vec<PathBuf> {
        self.state.lock().dirs.iter().cloned().collect()
    }

    /// The paths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.state.lock().names.keys().cloned().collect()
    }

    /// Plans a failure; it counts calls from now on. Plans add up.
    pub fn fail(&self, fault: Fault) {
        self.state.lock().faults.add(fault);
    }

    /// Drops all planned failures.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// The number of calls so far that a [`Fault`] could have hit.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.lock().faults.calls()
    }

    /// Bytes that files can take together, in blocks of 4096; `None` is no limit. Beyond it: `ENOSPC`.
    pub fn set_capacity(&self, capacity_bytes: Option<u64>) {
        self.state.lock().capacity_bytes = capacity_bytes;
    }

    /// Bytes that files take now.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().used_bytes()
    }

    /// How long every sync takes, so that others can arrive meanwhile.
    pub fn set_sync_time(&self, time: Duration) {
        self.state.lock().sync_time = time;
    }

    /// Everything that changed the disk so far, and the syncs.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().events.clone()
    }

    /// How many events there are: the power can be cut after any number from 0 to this.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.state.lock().events.len()
    }

    /// The disk as it may be when the power fails after the first `event_count` events. The same seed gives the same.
    /// Locks and failures are not carried over.
    #[must_use]
    pub fn after_power_cut(&self, event_count: usize, seed: u64) -> Self {
        let state = self.state.lock();
        Self::of(image::after_power_cut(&state.events[..event_count], seed))
    }

    /// The disk as a process finds it that starts after another was killed following the first `event_count` events:
    /// everything is there.
    #[must_use]
    pub fn after_kill(&self, event_count: usize) -> Self {
        let state = self.state.lock();
        Self::of(image::after_kill(&state.events[..event_count]))
    }

    /// Changes bytes behind everyone's back, as rot does. It is no event.
    ///
    /// # Panics
    /// When there is no such file or it is shorter.
    pub fn corrupt(&self, path: &Path, offset: usize, change: impl FnOnce(&mut [u8])) {
        let mut state = self.state.lock();
        let number = *state.names.get(path).expect("the file to corrupt exists");
        change(&mut state.files.get_mut(&number).expect("a name leads to a file").bytes[offset..]);
    }

    /// The bytes of a file; `None` if there is none.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        state.names.get(path).and_then(|number| state.files.get(number)).map(|file| file.bytes.clone())
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut state = self.state.lock();
        let (number, handle) = state.open(path, how)?;
        Ok(Arc::new(SimFile::new(Arc::clone(&self.state), number, handle, path)) as Arc<dyn DiskFile>)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state.lock().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state.lock().remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.state.lock().remove_dir(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.state.lock().create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.state.lock().list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let result = state.sync_dir(dir);
        let time = state.sync_time;
        drop(state);
        std::thread::sleep(time);
        result
    }

    fn space(&self, _dir: &Path) -> io::Result<DiskSpace> {
        let state = self.state.lock();
        let blocks = state.capacity_bytes.unwrap_or(1 << 50) / state::BLOCK_BYTES;
        let free = blocks.saturating_sub(state.used_bytes() / state::BLOCK_BYTES);
        Ok(DiskSpace {
            block_bytes: 4096,
            blocks,
            blocks_free: free,
            blocks_available: free,
            inodes: 0,
            inodes_free: 0,
        })
    }
}
