//! A reader that gives up when an archive grows beyond what was allowed, however little of it was stored.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most bytes of headers, long names and attributes that may stand between the contents of two entries.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// What stopped a [`Limited`] reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// There was more than `--max-size`.
    TooLarge,
    /// The headers of one entry did not end.
    LongHeader,
    /// The user stopped it.
    Interrupted,
}

/// Shared by the reader and whoever reads through it.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// Bytes that may still be read in all.
    left: Rc<Cell<u64>>,
    /// Bytes that may still be read of the present headers; `None` within a content.
    headers_left: Rc<Cell<Option<u64>>>,
    stopped: Rc<Cell<Option<Stopped>>>,
}

impl Allowance {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { left: Rc::new(Cell::new(max_bytes)), headers_left: Rc::default(), stopped: Rc::default() }
    }

    /// What comes next are headers.
    pub(super) fn expect_headers(&self) {
        self.headers_left.set(Some(MAX_HEADER_BYTES));
    }

    /// What comes next is content.
    pub(super) fn expect_content(&self) {
        self.headers_left.set(None);
    }

    /// Takes from the allowance for bytes that come from nowhere, as those of a hole that is filled.
    pub(super) fn take(&self, bytes: u64) -> Result<(), Stopped> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(self.stop(Stopped::TooLarge)),
        }
    }

    /// Why reading ended, if it did not end by itself.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.stopped.get()
    }

    fn stop(&self, why: Stopped) -> Stopped {
        self.stopped.set(Some(why));
        why
    }
}

/// See the module.
pub(super) struct Limited<'c, R> {
    inner: R,
    allowance: Allowance,
    cancel: &'c AtomicBool,
}

impl<'c, R: Read> Limited<'c, R> {
    pub(super) fn new(inner: R, allowance: Allowance, cancel: &'c AtomicBool) -> Self {
        Self { inner, allowance, cancel }
    }
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let stop = |why| Err(io::Error::other(format!("{:?}", self.allowance.stop(why))));
        if self.cancel.load(Ordering::Relaxed) {
            return stop(Stopped::Interrupted);
        }
        let count = self.inner.read(buf)?;
        if self.allowance.take(count as u64).is_err() {
            return stop(Stopped::TooLarge);
        }
        if let Some(left) = self.allowance.headers_left.get() {
            let Some(left) = left.checked_sub(count as u64) else { return stop(Stopped::LongHeader) };
            self.allowance.headers_left.set(Some(left));
        }
        Ok(count)
    }
}
