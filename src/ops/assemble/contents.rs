//! Stores the contents of many small files on several threads, while one thread reads them where they come from.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::model::Content;
use crate::store::content::put;
use crate::store::{StoreError, Writer};

use super::Slot;

/// How many files may wait for a thread. With files of at most [`Feed::MAX_BYTES`] this bounds the memory.
const MAX_WAITING: usize = 64;

type Job = (Slot, Vec<u8>);

/// Where the reading thread hands files over.
#[derive(Debug)]
pub struct Feed<'a> {
    jobs: Sender<Job>,
    failed: &'a OnceLock<StoreError>,
}

impl Feed<'_> {
    /// The longest file to hand over, in bytes; a longer one is stored as it is read.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// Hands over a whole file. Waits when too many do. False when storing has failed, and reading on is of no use.
    #[must_use]
    pub fn give(&self, slot: Slot, bytes: Vec<u8>) -> bool {
        self.failed.get().is_none() && self.jobs.send((slot, bytes)).is_ok()
    }
}

/// Runs `read`, which hands over files, and stores what it hands over. Returns what it returned, and the contents.
///
/// # Errors
/// What `read` returns, else [`StoreError`].
pub fn store_contents<T, E: From<StoreError>>(
    writer: &Writer,
    read: impl FnOnce(&Feed<'_>) -> Result<T, E>,
) -> Result<(T, Vec<(Slot, Content)>), E> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(8);
    let (jobs, waiting) = bounded::<Job>(MAX_WAITING);
    let failed = OnceLock::new();
    let (read, stored) = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (waiting, failed) = (waiting.clone(), &failed);
                scope.spawn(move || store_all(writer, &waiting, failed))
            })
            .collect();
        drop(waiting);
        let read = read(&Feed { jobs, failed: &failed });
        let stored: Vec<_> =
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect();
        (read, stored)
    });
    match (read, failed.into_inner()) {
        (_, Some(error)) => Err(error.into()),
        (read, None) => Ok((read?, stored)),
    }
}

fn store_all(writer: &Writer, jobs: &Receiver<Job>, failed: &OnceLock<StoreError>) -> Vec<(Slot, Content)> {
    let mut stored = Vec::new();
    for (slot, bytes) in jobs {
        match put(writer, &bytes) {
            Ok(content) => stored.push((slot, content)),
            Err(error) => {
                let _first = failed.set(error);
                break;
            }
        }
    }
    stored
}
