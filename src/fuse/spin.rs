//! Waiting a moment for the next request before going to sleep.
//!
//! A program that works through files sends its next request a few microseconds after it got its answer. A server that
//! sleeps meanwhile has to be woken on another processor, which costs ten times what most requests take, and more on a
//! virtual machine. So the thread that has just answered looks a few more times whether there is something to do.
//!
//! It stops doing so as long as that does not pay, so that an idle mount, and one whose clients think longer, burn nothing.
//! Nor does it pay where the program has to share the server's processor: it cannot go on before the server sleeps. Then the
//! server finds the request after a moment in which it did not run.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a wait that found a request, and one that did not, add to the balance; below 0 nobody waits.
const GAIN: i32 = 2;
const LOSS: i32 = 6;

/// The balance never goes beyond this, so that a change of habits is noticed soon.
const MOST: i32 = 64;

/// For so many requests nobody waits when it did not pay, at least and at most: each time that trying again does not pay
/// either, for twice as many.
const SHORTEST: u32 = 6;
const LONGEST: u32 = 512;

/// A look takes a microsecond. Between two that are further apart than this, somebody else had the processor.
const AWAY: Duration = Duration::from_micros(6);

/// Waits for requests, one thread at a time.
#[derive(Debug)]
pub(super) struct Spinner {
    device: OwnedFd,
    limit: Duration,
    taken: AtomicBool,
    balance: Mutex<Balance>,
}

/// Whether waiting pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Balance {
    /// Gains and losses of late.
    sum: i32,
    /// Requests for which nobody waits.
    left: u32,
    /// How many these will be the next time.
    pause: u32,
}

impl Default for Balance {
    fn default() -> Self {
        Self { sum: MOST / 2, left: 0, pause: SHORTEST }
    }
}

impl Balance {
    /// Whether to wait for the next request.
    fn try_it(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                false
            }
            None => true,
        }
    }

    /// What came of waiting.
    fn note(&mut self, paid: bool) {
        if paid {
            self.sum = (self.sum + GAIN).min(MOST);
            self.pause = (self.pause / 2).max(SHORTEST);
            return;
        }
        self.sum -= LOSS;
        if self.sum < 0 {
            (self.sum, self.left) = (0, self.pause);
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }
}

impl Spinner {
    /// Waits at most `limit` for requests of this device.
    pub fn new(device: OwnedFd, limit: Duration) -> Self {
        Self { device, limit, taken: AtomicBool::new(false), balance: Mutex::default() }
    }

    /// To be called when an answer was sent. Returns when there is another request, or when it is time to sleep.
    pub fn wait(&self) {
        if self.limit.is_zero() || !self.balance.lock().try_it() || self.taken.swap(true, Ordering::Acquire) {
            return;
        }
        let paid = self.look();
        self.taken.store(false, Ordering::Release);
        self.balance.lock().note(paid);
    }

    /// Whether a request came while this thread, and nobody else, had the processor.
    fn look(&self) -> bool {
        let start = Instant::now();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut before = start;
        loop {
            let found = !matches!(poll(&mut [PollFd::new(&self.device, PollFlags::IN)], Some(&at_once)), Ok(0));
            let now = Instant::now();
            let was_away = now - before > AWAY;
            if found || was_away || now - start >= self.limit {
                return found && !was_away;
            }
            before = now;
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_pays_is_tried_ever_more_seldom_and_what_pays_again_is_noticed() {
        let mut balance = Balance::default();
        let mut run = |requests: u32, pays: bool| {
            let mut waited = 0;
            for _ in 0..requests {
                if balance.try_it() {
                    waited += 1;
                    balance.note(pays);
                }
            }
            waited
        };
        assert_eq!(run(1000, true), 1000);
        assert!(run(100_000, false) < 250, "of a hundred thousand");
        // It is found out within one pause, and then at once after a single loss.
        assert!(run(20_000, true) > 20_000 - LONGEST);
        assert!(run(100, true) == 100);
        assert!(run(12, false) <= 12);
        assert!(run(100, true) > 90);
    }

    #[test]
    fn what_pays_three_times_out_of_four_is_gone_on_with() {
        let mut balance = Balance::default();
        let mut waited = 0;
        for request in 0..10_000 {
            if balance.try_it() {
                waited += 1;
                balance.note(request % 4 != 0);
            }
        }
        assert!(waited > 9000, "{waited}");
    }
}
