//! Who waits for the disk lets another thread serve.
//!
//! A program's next request costs least when the thread that gave the last answer takes it: every thread that is woken
//! instead costs a change of processor. So of the threads that serve a mount one is active, and the others are parked.
//! One that is about to wait for the disk says so ([`Gate::blocking`]), and a parked one takes its place, so that a slow
//! read of one file never holds up another.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Disk, DiskFile, DiskSpace, File, Open};

/// A write that takes longer than this had to wait for the disk: the page cache was full.
const SLOW_WRITE: Duration = Duration::from_millis(5);

/// Lets one of several threads be active at a time.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Threads that joined, and neither are parked nor wait for the disk.
    active: usize,
    parked: usize,
    /// Parked threads that were told to go on, and have not yet.
    called: usize,
    /// Some thread has ended, and so are the others to.
    ended: bool,
}

/// A thread's place in its gate, given up when the thread ends.
struct Member(Arc<Gate>);

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.active = state.active.saturating_sub(1);
        state.ended = true;
        self.0.wake.notify_all();
    }
}

thread_local! {
    static MEMBER: RefCell<Option<Member>> = const { RefCell::new(None) };
}

impl Gate {
    /// To be called by a thread that serves, when it has a request. The first call makes it a member.
    pub fn join(self: &Arc<Self>) {
        MEMBER.with_borrow_mut(|member| {
            if member.is_none() {
                self.state.lock().active += 1;
                *member = Some(Member(Arc::clone(self)));
            }
        });
    }

    /// To be called by a member when it has answered: parks it if another one is active. Returns whether it is the only
    /// active one, and has not been parked meanwhile.
    pub fn rest(&self) -> bool {
        let mut state = self.state.lock();
        if state.active <= 1 || state.ended {
            return !state.ended;
        }
        state.active -= 1;
        state.parked += 1;
        while state.called == 0 && !state.ended {
            self.wake.wait(&mut state);
        }
        state.called = state.called.saturating_sub(1);
        state.parked -= 1;
        state.active += 1;
        false
    }

    /// Does something that may have to wait for the disk. A thread that is no member just does it.
    pub fn blocking<T>(&self, work: impl FnOnce() -> T) -> T {
        if !MEMBER.with_borrow(Option::is_some) {
            return work();
        }
        {
            let mut state = self.state.lock();
            state.active = state.active.saturating_sub(1);
            if state.active == 0 && state.parked > state.called {
                state.called += 1;
                self.wake.notify_one();
            }
        }
        let done = work();
        self.state.lock().active += 1;
        done
    }
}

/// A disk whose slow calls go through a gate.
#[derive(Debug)]
pub struct GatedDisk<D> {
    disk: D,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedFile {
    file: File,
    gate: Arc<Gate>,
    /// Whether the last write had to wait for the disk, so that the next one may have to.
    slow: AtomicBool,
}

impl<D: Disk> GatedDisk<D> {
    /// Sends the slow calls to `disk` through `gate`.
    #[must_use]
    pub fn new(disk: D, gate: Arc<Gate>) -> Self {
        Self { disk, gate }
    }
}

impl<D: Disk> Disk for GatedDisk<D> {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let file = self.disk.open(path, how)?;
        Ok(Arc::new(GatedFile { file, gate: Arc::clone(&self.gate), slow: AtomicBool::new(false) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.gate.blocking(|| self.disk.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.gate.blocking(|| self.disk.sync_dir(dir))
    }

    fn space(&self, dir: &Path) -> io::Result<DiskSpace> {
        self.disk.space(dir)
    }
}

impl DiskFile for GatedFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match self.file.read_cached(offset, buf)? {
            true => Ok(buf.len()),
            false => self.gate.blocking(|| self.file.read_at(offset, buf)),
        }
    }

    fn read_cached(&self, offset: u64, buf: &mut [u8]) -> io::Result<bool> {
        self.file.read_cached(offset, buf)
    }

    fn will_read(&self, offset: u64, len_bytes: u64) {
        self.file.will_read(offset, len_bytes);
    }

    fn write_at(&self, offset: u64, bufs: &[&[u8]]) -> io::Result<()> {
        // A write that goes to the page cache is done before another thread is awake.
        let started = Instant::now();
        let result = match self.slow.load(Ordering::Relaxed) {
            false => self.file.write_at(offset, bufs),
            true => self.gate.blocking(|| self.file.write_at(offset, bufs)),
        };
        self.slow.store(started.elapsed() > SLOW_WRITE, Ordering::Relaxed);
        result
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.gate.blocking(|| self.file.set_len(len_bytes))
    }

    fn allocate(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.file.allocate(offset, len_bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.blocking(|| self.file.sync_data())
    }

    fn punch(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.gate.blocking(|| self.file.punch(offset, len_bytes))
    }

    fn has_other_names(&self) -> io::Result<bool> {
        self.file.has_other_names()
    }

    fn allocated_bytes(&self) -> io::Result<u64> {
        self.file.allocated_bytes()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn try_lock_shared(&self) -> io::Result<bool> {
        self.file.try_lock_shared()
    }

    fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        self.file.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn of_two_members_one_is_parked_until_the_other_waits_for_the_disk() {
        let gate = Arc::new(Gate::default());
        gate.join();
        let (tell, told) = mpsc::channel();
        let other = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.join();
                tell.send("joined").unwrap();
                gate.rest();
                tell.send("called").unwrap();
            })
        };
        assert_eq!(told.recv_timeout(LONG), Ok("joined"));
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "it is parked while this one is active");
        let seen = gate.blocking(|| told.recv_timeout(LONG));
        assert_eq!(seen, Ok("called"));
        other.join().unwrap();
    }

    #[test]
    fn a_member_that_ends_takes_the_parked_ones_along() {
        let gate = Arc::new(Gate::default());
        let parked = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.join();
                while gate.state.lock().active < 2 {
                    thread::yield_now();
                }
                gate.rest()
            })
        };
        let ending = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.join();
                while gate.state.lock().parked == 0 {
                    thread::yield_now();
                }
            })
        };
        ending.join().unwrap();
        assert!(!parked.join().unwrap());
    }
}
