//! A request that is being answered: counted, let in through the gate, and known for one that is asked again.
//!
//! When a process takes over a connection, the kernel sends the requests again that the one before had not answered
//! (`FUSE_NOTIFY_RESEND`, Linux 6.9), and marks their numbers. One of them may be what the process before died of, so
//! whoever starts processes is told which of them are under way.
//!
//! A process that hands its connection over itself closes the door first: requests under way are finished, and those that
//! come later are left to the next process.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::disk::Gate;

use super::counters::{Counters, Op};
use super::spin::Spinner;

/// The bit in a request's number that says that it was sent before (`FUSE_UNIQUE_RESEND`).
const RESENT: u64 = 1 << 63;

/// How often it is looked whether the last request is answered.
const LOOK: Duration = Duration::from_micros(200);

/// Hears of requests that are asked again.
pub trait Repeats: Send + Sync + Debug {
    /// One is to be answered; `false` if it must not be tried again.
    fn begin(&self, request: u64) -> bool;

    /// It was answered.
    fn end(&self, request: u64);
}

/// The number of a request, without the mark, and whether it is asked again.
pub(super) fn number(unique: u64) -> (u64, bool) {
    (unique & !RESENT, unique & RESENT != 0)
}

/// The door that requests come in by.
#[derive(Debug, Default)]
pub(super) struct Door {
    closed: AtomicBool,
    inside: AtomicUsize,
    state: Mutex<()>,
    opened: Condvar,
}

impl Door {
    fn enter(&self) {
        loop {
            self.inside.fetch_add(1, Ordering::SeqCst);
            if !self.closed.load(Ordering::SeqCst) {
                return;
            }
            self.leave();
            let mut state = self.state.lock();
            while self.closed.load(Ordering::SeqCst) {
                self.opened.wait(&mut state);
            }
        }
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn close(&self, limit: Duration) -> bool {
        self.closed.store(true, Ordering::SeqCst);
        let end = Instant::now() + limit;
        while self.inside.load(Ordering::SeqCst) > 0 {
            if Instant::now() >= end {
                self.open();
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    fn open(&self) {
        let _state = self.state.lock();
        self.closed.store(false, Ordering::SeqCst);
        self.opened.notify_all();
    }
}

/// Ends the serving of a connection that another process will go on with.
#[derive(Clone, Debug)]
pub struct Drain(pub(super) Arc<Door>);

impl Drain {
    /// Lets no more requests in and waits until those under way are answered; `false` if they are not within the time, and
    /// then all goes on as before.
    #[must_use]
    pub fn close(&self, limit: Duration) -> bool {
        self.0.close(limit)
    }

    /// Lets requests in again.
    pub fn open(&self) {
        self.0.open();
    }
}

/// What every request passes.
#[derive(Debug)]
pub(super) struct Turns {
    pub counters: Arc<Counters>,
    pub gate: Arc<Gate>,
    pub spinner: Spinner,
    pub door: Arc<Door>,
    pub repeats: Option<Arc<dyn Repeats>>,
}

/// A request that is being answered. When it is, its thread parks if another is active, or else waits a moment for the
/// next request.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    repeated: Option<u64>,
}

impl Turns {
    /// Lets a request in; `None` for one that must not be tried again.
    pub fn begin(&self, op: Op, unique: u64) -> Option<Turn<'_>> {
        self.counters.count(op);
        self.door.enter();
        self.gate.join();
        let (request, resent) = number(unique);
        let turn = Turn { turns: self, repeated: resent.then_some(request) };
        match &self.repeats {
            Some(repeats) if resent && !repeats.begin(request) => None,
            _ => Some(turn),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let (Some(repeats), Some(request)) = (&self.turns.repeats, self.repeated) {
            repeats.end(request);
        }
        self.turns.door.leave();
        if self.turns.gate.rest() {
            self.turns.spinner.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_door_waits_for_those_inside_and_holds_others_back() {
        let door = Arc::new(Door::default());
        door.enter();
        assert!(!door.close(Duration::from_millis(5)), "one is inside");
        door.leave();
        assert!(door.close(Duration::from_secs(5)));
        let other = Arc::clone(&door);
        let waiting = std::thread::spawn(move || other.enter());
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        door.open();
        waiting.join().expect("no panic");
        assert_eq!(door.inside.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_mark_is_no_part_of_a_requests_number() {
        assert_eq!(number(12), (12, false));
        assert_eq!(number(12 | 1 << 63), (12, true));
    }
}
