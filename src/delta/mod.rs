//! A session's upper delta: a log of batches and segments of data, crash-safe.
//!
//! ```text
//! sessions/<id>/lock      held while the delta is open
//! sessions/<id>/log.N     one log counts: a dump of the state, then a frame for each batch
//! sessions/<id>/data.N    bytes that the batches name; append-only, dead ranges are punched out
//! sessions/<id>/proof     how far the log is durable at least, so that a log which was cut off is not taken for a whole one
//! ```
//!
//! Logs and segments share one range of numbers, which are never used twice; a `Place` names a file by it.
//!
//! What holds at every moment:
//!
//! - A batch that was acknowledged is in the log, wholly, with its data in the page cache: the death of the process loses
//!   nothing. A batch that was refused is not in the log.
//! - A sync mark in the log proves that the data of the batches it covers is durable. After a power cut, batches behind the
//!   last mark count as long as their data is what its checksums say. So what an open finds is a prefix of
//!   what happened, and holds everything that a sync returned for.
//! - A state that an open could give never refers to bytes that were given back to the disk.
//! - The log with the highest number whose dump is complete counts, unless an older one says that it was abandoned.
//!
//! - Data that is read is what was written, or the read fails: every batch carries checksums of its data.
//!
//! It does not know what the records mean.

mod commit;
mod error;
mod flusher;
mod frame;
mod log;
mod open;
mod proof;
mod reclaim;
mod rewrite;
mod salvage;
mod scan;
mod segments;
mod settings;
mod staged;
mod sums;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Mutex, RwLock};

pub use error::{DeltaError, ReplayError};
pub use open::Replay;
pub use rewrite::Moved;
pub use salvage::{Gap, Part, Salvage, Salvaged, salvage};
pub use settings::Settings;

use crate::disk::{Disk, DiskSpace, File};
use crate::model::{Place, Record};
use crate::overlay::{Payload, Pin, Space, Upper};
use commit::Commit;
use flusher::Flusher;
use frame::FrameKind;
use log::{Carried, Log};
use reclaim::Reclaim;
use segments::Segments;
use staged::Staged;
use sums::{Grid, Summed};

/// An open delta. Dropping it stops the flusher and gives up the lock, but syncs nothing: [`Delta::close`] does.
#[derive(Debug)]
pub struct Delta {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    settings: Settings,
    _lock: File,
    log: Mutex<Log>,
    segments: Segments,
    staged: Staged,
    reclaim: Reclaim,
    commit: Commit,
    flusher: Flusher,
    /// Appends since someone asked for a sync.
    since_sync: AtomicU32,
    /// Held for reading from before data is written until it is named or staged.
    in_flight: RwLock<()>,
}

/// How large a delta is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeltaStats {
    /// Length of the log.
    pub log_bytes: u64,
    /// Disk space that the data segments take.
    pub data_bytes: u64,
    /// Bytes among these and in the log that nothing refers to and that were not given back yet.
    pub dead_bytes: u64,
    /// Syncs that went to the disk since the delta was opened.
    pub syncs: u64,
}

impl Shared {
    fn new(dir: &Path, settings: Settings, lock: File, log: Log, segments: Segments, commit: Commit) -> Self {
        Self {
            dir: dir.to_owned(),
            settings,
            _lock: lock,
            log: Mutex::new(log),
            segments,
            staged: Staged::default(),
            reclaim: Reclaim::default(),
            commit,
            flusher: Flusher::default(),
            since_sync: AtomicU32::new(u32::MAX),
            in_flight: RwLock::new(()),
        }
    }

    /// Writes bytes to a segment.
    fn write_data(&self, bytes: &[u8]) -> io::Result<Summed> {
        match self.segments.write(bytes) {
            Ok(written) => {
                self.reclaim.release(written.gap.as_slice());
                Ok(written.summed)
            }
            Err((error, lost)) => {
                self.reclaim.release(lost.as_slice());
                Err(error)
            }
        }
    }

    /// Appends one frame, with the checksums of what the batch names for the first time.
    fn append_frame(
        &self,
        batch: &[Record],
        inline: Option<(&[u8], &[u32])>,
        own: Option<Summed>,
        last: impl FnOnce(Place) -> Option<Record>,
    ) -> io::Result<()> {
        let mut sums = self.staged.take(batch);
        let may_use_reserve = inline.is_none() && own.is_none() && sums.is_empty();
        let staged = sums.len();
        let sums_or_own = if staged == 0 {
            own.as_slice()
        } else {
            sums.extend(own);
            &sums
        };
        let carried = Carried { inline, sums: sums_or_own, may_use_reserve };
        let result = {
            let mut log = self.log.lock();
            let result = log.batch(FrameKind::Batch, batch, carried, last);
            if result.is_ok() {
                self.commit.appended(log.next_seq() - 1);
            }
            result
        };
        if result.is_err() {
            sums.truncate(staged);
            self.staged.put_back(sums);
        } else if !self.commit.dirty.load(Ordering::Relaxed) && !self.commit.dirty.swap(true, Ordering::AcqRel) {
            self.flusher.wake();
        }
        result
    }

    /// Whether a payload of this length goes into the log: someone syncs often, and one file syncs faster than two.
    fn goes_inline(&self, len: usize) -> bool {
        let since = self.since_sync.load(Ordering::Relaxed);
        self.since_sync.store(since.saturating_add(1), Ordering::Relaxed);
        since < self.settings.inline_appends && len <= self.settings.inline_bytes
    }
}

impl Delta {
    fn of(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Whether a delta was made in this directory. One whose making was cut short was not, and can be made anew.
    ///
    /// # Errors
    /// What the disk says; [`DeltaError::Format`].
    pub fn exists(disk: &dyn Disk, dir: &Path) -> Result<bool, DeltaError> {
        open::exists(disk, dir)
    }

    /// Makes an empty delta in a directory that has none. It is durable when this returns, provided that the directory
    /// above is.
    ///
    /// # Errors
    /// [`DeltaError::Busy`] when another is making it; [`DeltaError::Io`] with `AlreadyExists` when there is one.
    pub fn create(disk: &Arc<dyn Disk>, dir: &Path, settings: Settings) -> Result<Self, DeltaError> {
        open::create(disk, dir, settings)
    }

    /// Opens a delta: takes its lock, hands all batches to `replay` in order, and cuts off a torn tail.
    ///
    /// # Errors
    /// [`DeltaError::Busy`] when someone has it open, [`DeltaError::Damaged`] when something that was durable is
    /// missing or changed, [`DeltaError::Format`], [`DeltaError::Replay`] with what `replay` returned, [`DeltaError::Io`].
    pub fn open(disk: &Arc<dyn Disk>, dir: &Path, settings: Settings, replay: Replay<'_>) -> Result<Self, DeltaError> {
        open::open(disk, dir, settings, replay)
    }

    /// Starts the thread that syncs a few seconds after the first change that is not durable, and then calls `after_sync`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start_flusher(&self, after_sync: impl Fn() + Send + 'static) -> Result<(), DeltaError> {
        Ok(self.shared.flusher.start(&self.shared, after_sync)?)
    }

    /// Says that nothing but these ranges (place, length in bytes) is referred to. To be called after an open, before any
    /// other change, with all ranges that the replayed state holds, in any order.
    ///
    /// # Errors
    /// What the disk says about the lengths of files.
    pub fn keep_only(&self, live: impl IntoIterator<Item = (Place, u64)>) -> Result<(), DeltaError> {
        let mut live: Vec<(Place, u64)> = live.into_iter().collect();
        live.sort_unstable();
        let mut live = live.into_iter().peekable();
        let mut segments = self.shared.segments.all();
        segments.sort_unstable_by_key(|segment| segment.number);
        for segment in segments {
            while live.next_if(|(place, _)| place.file < segment.number).is_some() {}
            let len = segment.file.len()?;
            let mut at = 0;
            let dead = |from: u64, upto: u64| {
                if from < upto {
                    self.shared.reclaim.release(&[(Place { file: segment.number, offset: from }, upto - from)]);
                }
            };
            while let Some((place, len_bytes)) = live.next_if(|(place, _)| place.file == segment.number) {
                dead(at, place.offset);
                at = at.max(place.offset + len_bytes);
            }
            dead(at, len);
        }
        Ok(())
    }

    /// How large it is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn stats(&self) -> Result<DeltaStats, DeltaError> {
        let mut stats = DeltaStats {
            log_bytes: self.shared.log.lock().end,
            dead_bytes: self.shared.reclaim.dead_bytes(),
            syncs: self.shared.commit.rounds(),
            ..DeltaStats::default()
        };
        for segment in self.shared.segments.all() {
            stats.data_bytes += segment.file.allocated_bytes()?;
        }
        Ok(stats)
    }

    /// Stops the flusher, syncs, and gives back space. Nothing should be appended afterwards.
    ///
    /// # Errors
    /// What the disk says; what was appended is then as safe as it was before.
    pub fn close(&self) -> Result<(), DeltaError> {
        self.shared.flusher.stop();
        self.shared.sync()?;
        self.shared.reclaim.retire_now();
        self.shared.reclaim.advance(&self.shared.segments)?;
        self.shared.prove()?;
        Ok(self.shared.log.lock().trim()?)
    }
}

impl Drop for Delta {
    fn drop(&mut self) {
        self.shared.flusher.stop();
    }
}

impl Upper for Delta {
    fn stage(&self, bytes: &[u8]) -> io::Result<Place> {
        let _in_flight = self.shared.in_flight.read();
        let summed = self.shared.write_data(bytes)?;
        let place = summed.place;
        self.shared.staged.add(summed);
        Ok(place)
    }

    fn append(&self, batch: &[Record], payload: Option<Payload<'_>>) -> io::Result<Option<Place>> {
        let shared = &*self.shared;
        let inline = shared.goes_inline(payload.map_or(0, |payload| payload.bytes.len()));
        let Some(Payload { ino, offset, bytes, time }) = payload else {
            shared.append_frame(batch, None, None, |_| None)?;
            return Ok(None);
        };
        let len_bytes = bytes.len() as u64;
        let write = |place| Record::Write { ino, offset, len_bytes, place, time };
        if inline {
            let sums = Grid::Own.sums(0, bytes);
            let mut chosen = None;
            shared.append_frame(batch, Some((bytes, &sums)), None, |place| {
                chosen = Some(place);
                Some(write(place))
            })?;
            if let Some(Place { file, offset }) = chosen {
                shared.segments.with_sums(file, |known| known.add(offset, len_bytes, &sums));
            }
            return Ok(chosen);
        }
        let _in_flight = shared.in_flight.read();
        let own = shared.write_data(bytes)?;
        let place = own.place;
        if let Err(error) = shared.append_frame(batch, None, Some(own), |_| Some(write(place))) {
            shared.reclaim.release(&[(place, len_bytes)]);
            return Err(error);
        }
        Ok(Some(place))
    }

    fn read(&self, place: Place, buf: &mut [u8]) -> io::Result<()> {
        self.shared.segments.read(place, buf)
    }

    fn pin(&self) -> Pin {
        Pin(self.shared.reclaim.pin())
    }

    fn release(&self, ranges: &[(Place, u64)]) {
        for (place, len_bytes) in ranges {
            self.shared.staged.forget(*place, *len_bytes);
        }
        self.shared.reclaim.release(ranges);
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.since_sync.store(0, Ordering::Relaxed);
        self.shared.sync()?;
        if !self.shared.flusher.is_running()
            && let Err(error) = self.shared.reclaim.advance(&self.shared.segments)
        {
            ::log::warn!("space of the delta could not be given back: {error}");
        }
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(self.shared.segments.space()?.into())
    }
}

impl From<DiskSpace> for Space {
    fn from(space: DiskSpace) -> Self {
        Self {
            block_bytes: space.block_bytes,
            blocks: space.blocks,
            blocks_free: space.blocks_free,
            blocks_available: space.blocks_available,
            inodes: space.inodes,
            inodes_free: space.inodes_free,
        }
    }
}
