//! Making the journal durable, once for all who ask at the same time.
//!
//! A sync is: data segments, names of new files, a sync mark in the log, the log. In that order, so that a mark that
//! is found after a power cut proves that the data of the batches it covers is there.
//!
//! After a failed sync nobody knows which bytes reached the disk, and Linux calls the pages clean: syncing again would
//! succeed and prove nothing. So what was not durable before the failure is *doubtful*. The next sync first reads it back
//! from memory, checks it against its checksums and writes it again in the same place; only then it syncs. If the
//! bytes cannot be had any more, every sync fails, and the next open cuts the log before them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};

use super::Shared;
use super::frame::{FrameKind, SyncMark, decode_batch};
use super::proof::Proof;
use super::scan::Frames;

/// One sync that several may wait for.
#[derive(Debug)]
struct Round {
    /// The last batch that it covers.
    upto: u64,
    result: OnceLock<Result<(), Arc<io::Error>>>,
}

#[derive(Debug, Default)]
struct State {
    /// The last batch that is durable.
    durable: u64,
    /// The log that counts, and the offset up to which it is durable, with the data that it names.
    durable_log: u32,
    durable_end: u64,
    running: Option<Arc<Round>>,
    doubtful: bool,
}

#[derive(Debug, Default)]
pub(super) struct Commit {
    state: Mutex<State>,
    ended: Condvar,
    /// The last batch that was appended.
    appended: AtomicU64,
    /// Syncs that went to the disk.
    rounds: AtomicU64,
    /// The flusher has been told that something is not durable.
    pub dirty: AtomicBool,
}

/// What is certain after a sync.
#[derive(Clone, Copy, Debug)]
pub(super) struct Durable {
    pub seq: u64,
    pub log: u32,
    pub end: u64,
}

impl State {
    /// What is certain before a sync.
    fn before(&self) -> Durable {
        Durable { seq: self.durable, log: self.durable_log, end: self.durable_end }
    }
}

impl Commit {
    /// What is known at open.
    pub fn start(&self, appended: u64, durable: Durable) {
        self.appended.store(appended, Ordering::Release);
        let mut state = self.state.lock();
        state.durable = durable.seq;
        (state.durable_log, state.durable_end) = (durable.log, durable.end);
        // The process before may have died of, or after, a sync that failed.
        state.doubtful = durable.seq < appended;
    }

    /// The log that counts, and up to where it is durable.
    fn proof(&self) -> Proof {
        let state = self.state.lock();
        Proof { number: state.durable_log, end: state.durable_end, salt: None }
    }

    pub fn appended(&self, seq: u64) {
        self.appended.store(seq, Ordering::Release);
    }

    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    pub fn last_appended(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    /// Runs `work` as the only sync, covering everything appended so far; or, unless it is `exclusive`, shares the
    /// result of another that covers it. `work` is told where durability ends and whether bytes are doubtful.
    pub fn run(&self, exclusive: bool, work: impl FnOnce(Durable, bool) -> io::Result<Durable>) -> io::Result<()> {
        let target = self.appended.load(Ordering::Acquire);
        let mut state = self.state.lock();
        loop {
            if !exclusive && state.durable >= target {
                return Ok(());
            }
            let Some(round) = state.running.clone() else { break };
            while round.result.get().is_none() {
                self.ended.wait(&mut state);
            }
            if !exclusive && round.upto >= target {
                return share(round.result.get());
            }
        }
        let upto = self.appended.load(Ordering::Acquire);
        let round = Arc::new(Round { upto, result: OnceLock::new() });
        state.running = Some(Arc::clone(&round));
        let (before, doubtful) = (state.before(), state.doubtful);
        drop(state);
        self.rounds.fetch_add(1, Ordering::Relaxed);
        let result = work(before, doubtful);
        let mut state = self.state.lock();
        state.running = None;
        state.doubtful = result.is_err();
        if let Ok(durable) = &result {
            state.durable = durable.seq.max(upto);
            (state.durable_log, state.durable_end) = (durable.log, durable.end);
        }
        let result = result.map(drop).map_err(Arc::new);
        let _ = round.result.set(result.clone());
        self.ended.notify_all();
        drop(state);
        share(Some(&result))
    }
}

fn share(result: Option<&Result<(), Arc<io::Error>>>) -> io::Result<()> {
    match result {
        Some(Err(error)) => Err(io::Error::new(error.kind(), Arc::clone(error))),
        _ => Ok(()),
    }
}

impl Shared {
    /// Makes everything appended so far durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.commit.run(false, |before, doubtful| {
            if doubtful {
                self.write_again(before.end)?;
            }
            self.sync_once(before)
        })
    }

    fn sync_once(&self, before: Durable) -> io::Result<Durable> {
        let gone = self.reclaim.begin_sync(&self.segments, self.commit.last_appended());
        let (covered, seq) = {
            let log = self.log.lock();
            (log.end, log.next_seq() - 1)
        };
        self.sync_data()?;
        let (file, number, end) = {
            let mut log = self.log.lock();
            let nothing_between = log.end == covered;
            let mark = SyncMark { covered, durable: before.end, gone };
            log.mark(FrameKind::Sync, |writer| mark.encode(writer))?;
            // Of batches that came between, the data may not be on the disk.
            (log.file.clone(), log.number, if nothing_between { log.end } else { covered })
        };
        file.sync_data()?;
        self.reclaim.sync_done();
        Ok(Durable { seq, log: number, end })
    }

    /// When all is durable: writes a mark that says so, without syncing it. Only with it can an open tell a frame that
    /// went bad from one that was never whole. And writes down beside the log how far it is durable.
    pub(super) fn prove(&self) -> io::Result<()> {
        let mut proof = self.commit.proof();
        {
            let mut log = self.log.lock();
            proof.salt = (log.number == proof.number).then(|| log.salt());
            if log.number == proof.number && log.end == proof.end {
                let mark = SyncMark { covered: proof.end, durable: proof.end, gone: Vec::new() };
                log.mark(FrameKind::Sync, |writer| mark.encode(writer))?;
            }
        }
        if let Err(error) = proof.write(self.segments.disk(), &self.dir) {
            ::log::debug!("how far the log is durable could not be written down: {error}");
        }
        Ok(())
    }

    /// Syncs the data segments and the names of files.
    pub(super) fn sync_data(&self) -> io::Result<()> {
        let dirty = self.segments.take_dirty();
        let mut result = Ok(());
        for segment in &dirty {
            result = result.and_then(|()| segment.file.sync_data());
        }
        let result = result.and_then(|()| self.segments.sync_names());
        if result.is_err() {
            dirty.iter().for_each(|segment| segment.soil());
        }
        result
    }

    /// Writes everything again that was not durable when a sync failed, from what memory has of it.
    pub(super) fn write_again(&self, from: u64) -> io::Result<()> {
        // Whoever wrote data before the failure has named it or put it with the staged by now.
        drop(self.in_flight.write());
        let (file, salt, end, path) = {
            let log = self.log.lock();
            (log.file.clone(), log.salt(), log.end, log.path.clone())
        };
        let lost = |what: String| {
            let why = format!("`{}`: after a failed sync, {what} cannot be read back", path.display());
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        let mut frames = Frames::new(&*file, salt);
        let mut at = from;
        let mut sums = self.staged.all();
        let mut buf = Vec::new();
        while at < end {
            let Some(frame) = frames.at(at)? else { return Err(lost(format!("the log at byte {at}"))) };
            let total = frame.header.total_bytes();
            if frame.header.kind == FrameKind::Batch {
                let (more, _) = decode_batch(frame.meta).map_err(|error| lost(format!("a batch ({error})")))?;
                sums.extend(more);
            }
            buf.resize(total, 0);
            if file.read_at(at, &mut buf)? < total {
                return Err(lost(format!("the log at byte {at}")));
            }
            file.write_at(at, &[&buf])?;
            at += total as u64;
        }
        for summed in sums {
            let place = summed.place;
            // A segment that is gone held nothing that is still needed.
            let Some(segment) = self.segments.segment(place.file) else { continue };
            buf.resize(summed.len_bytes as usize, 0);
            self.segments.read_unchecked(place, &mut buf)?;
            if !summed.fits(&buf) {
                return Err(lost(format!("file {} at byte {}", place.file, { place.offset })));
            }
            segment.file.write_at(place.offset, &[&buf])?;
            segment.soil();
        }
        Ok(())
    }
}
