//! Waiting a moment for the next request before going to sleep.
//!
//! A program that works through files sends its next request a few microseconds after it got its answer. A server that
//! sleeps meanwhile has to be woken on another processor, which costs ten times what most requests take, and more on a
//! virtual machine. So the thread that has just answered looks a few more times whether there is something to do. It
//! stops doing so as long as that does not pay, so that an idle mount, and one whose clients think longer, burn nothing.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a wait that found a request, and one that did not, add to the balance; below 0 nobody waits.
const GAIN: i32 = 2;
const LOSS: i32 = 6;

/// The balance never goes beyond these, so that a change of habits is noticed soon.
const MOST: i32 = 64;
const LEAST: i32 = -64;

/// Waits for requests, one thread at a time.
#[derive(Debug)]
pub(super) struct Spinner {
    device: OwnedFd,
    limit: Duration,
    taken: AtomicBool,
    /// Whether waiting pays.
    balance: AtomicI32,
}

impl Spinner {
    /// Waits at most `limit` for requests of this device.
    pub fn new(device: OwnedFd, limit: Duration) -> Self {
        Self { device, limit, taken: AtomicBool::new(false), balance: AtomicI32::new(MOST / 2) }
    }

    /// To be called when an answer was sent. Returns when there is another request, or when it is time to sleep.
    pub fn wait(&self) {
        if self.limit.is_zero() {
            return;
        }
        if self.balance.load(Ordering::Relaxed) < 0 {
            // Each request that comes while nobody waits says that there may be something to gain again.
            self.balance.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if self.taken.swap(true, Ordering::Acquire) {
            return;
        }
        let found = self.look();
        self.taken.store(false, Ordering::Release);
        let change = if found { GAIN } else { -LOSS };
        let balance = self.balance.load(Ordering::Relaxed);
        self.balance.store((balance + change).clamp(LEAST, MOST), Ordering::Relaxed);
    }

    fn look(&self) -> bool {
        let end = Instant::now() + self.limit;
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            match poll(&mut [PollFd::new(&self.device, PollFlags::IN)], Some(&at_once)) {
                Ok(0) => {}
                _ => return true,
            }
            if Instant::now() >= end {
                return false;
            }
            std::hint::spin_loop();
        }
    }
}
