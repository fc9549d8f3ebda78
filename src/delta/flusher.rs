//! The thread that makes changes durable when nobody asks for it.
//!
//! It sleeps until the first change that is not durable, waits for the delay, syncs, and sleeps again. It never
//! holds anyone up: what it does is what any caller of sync does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::Shared;

#[derive(Debug, Default)]
struct State {
    stop: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
pub(super) struct Flusher {
    state: Mutex<State>,
    wake: Condvar,
}

impl Flusher {
    /// Something is not durable from now on.
    pub fn wake(&self) {
        drop(self.state.lock());
        self.wake.notify_all();
    }

    pub fn is_running(&self) -> bool {
        self.state.lock().thread.is_some()
    }

    pub fn start(&self, shared: &Arc<Shared>, after_sync: impl Fn() + Send + 'static) -> std::io::Result<()> {
        let mut state = self.state.lock();
        if state.thread.is_none() {
            state.stop = false;
            let shared = Arc::clone(shared);
            let thread = std::thread::Builder::new().name("delta-flusher".into());
            state.thread = Some(thread.spawn(move || shared.flusher.work(&shared, &after_sync))?);
        }
        Ok(())
    }

    /// Stops the thread and waits for its end, which may take as long as a sync.
    pub fn stop(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.stop = true;
            state.thread.take()
        };
        self.wake.notify_all();
        // It can be this very thread, when what it calls after a sync was the last to hold the delta.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // A panic there has been reported already; here is nothing to add.
            let _ = thread.join();
        }
    }

    /// Waits until there is something to do; `false` when it is time to end.
    fn wait(&self, shared: &Shared) -> bool {
        let mut state = self.state.lock();
        while !state.stop && !shared.commit.dirty.load(Ordering::Acquire) {
            self.wake.wait(&mut state);
        }
        let due = Instant::now() + shared.settings.flush_delay;
        while !state.stop && !self.wake.wait_until(&mut state, due).timed_out() {}
        !state.stop
    }

    fn work(&self, shared: &Shared, after_sync: &dyn Fn()) {
        while self.wait(shared) {
            // Before the sync: a change that comes during it sets the mark again.
            shared.commit.dirty.store(false, Ordering::Release);
            let result = shared.sync().and_then(|()| shared.prove());
            if let Err(error) = result {
                ::log::warn!("the delta could not be made durable: {error}");
                shared.commit.dirty.store(true, Ordering::Release);
            }
            if let Err(error) = shared.reclaim.advance(&shared.segments) {
                ::log::warn!("space of the delta could not be given back: {error}");
            }
            after_sync();
        }
    }
}
