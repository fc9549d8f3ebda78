//! Starting a new log with the present state, so that the history before it can go.
//!
//! The new log is written beside the old one and counts once its dump is complete and durable. Killed before, the old
//! one counts; after, the new one; never a mix. Should the making fail, the old log goes on, and says first of all
//! that the new one is not to be used: whatever of it reached the disk, nothing appended later can be lost to it.
//!
//! Live data that lies in the old log moves to a data segment. Data in segments stays where it is.

use std::collections::HashMap;
use std::io;

use super::commit::Durable;
use super::frame::{FrameKind, LogHeader, SyncMark};
use super::log::{Carried, Log};
use super::segments::Segments;
use super::{Delta, DeltaError, Shared};
use crate::disk::Open;
use crate::model::{Place, Record};

/// Data that was moved: where it was, how many bytes, where it is.
pub type Moved = (Place, u64, Place);

const RECORDS_PER_FRAME: usize = 512;

impl Delta {
    /// Whether the log has grown so much beyond the state it began with that a rewrite pays.
    #[must_use]
    pub fn wants_rewrite(&self) -> bool {
        let log = self.shared.log.lock();
        log.end >= self.shared.settings.rewrite_min_bytes && log.end / 4 >= log.base_end
    }

    /// Replaces the log by one that begins with `dump`: the records that make up the state. Returns what was moved; until
    /// the next append, the old places can be read too. When this returns, everything is durable.
    ///
    /// The caller appends nothing from before it makes the dump until it has taken the moves over.
    ///
    /// # Errors
    /// What the disk says, above all `ENOSPC`; the old log then goes on as if nothing had been tried.
    pub fn rewrite(&self, dump: &mut dyn Iterator<Item = Record>) -> Result<Vec<Moved>, DeltaError> {
        let shared = &*self.shared;
        let mut moved = HashMap::new();
        let result = shared.commit.run(true, |before, doubtful| {
            if doubtful {
                shared.write_again(before.end)?;
            }
            shared.rewrite_log(dump, &mut moved)
        });
        let moved = moved.into_iter().map(|(from, (len_bytes, to))| (from, len_bytes, to));
        if let Err(error) = result {
            let copies: Vec<(Place, u64)> = moved.map(|(_, len_bytes, to)| (to, len_bytes)).collect();
            shared.reclaim.release(&copies);
            return Err(error.into());
        }
        Ok(moved.collect())
    }
}

impl Shared {
    fn rewrite_log(
        &self,
        dump: &mut dyn Iterator<Item = Record>,
        moved: &mut HashMap<Place, (u64, Place)>,
    ) -> io::Result<Durable> {
        let gone = self.reclaim.begin_sync(&self.segments, self.commit.last_appended());
        let mut log = self.log.lock();
        let number = self.segments.next_number()?;
        let path = Segments::path_of_log(&self.dir, number);
        let file = self.segments.disk().open(&path, Open::CreateNew)?;
        self.segments.soil_names();
        let header = LogHeader { number, salt: self.settings.salt, first_seq: log.next_seq() };
        let made = Log::create(file, path.clone(), header, self.settings.reserve_bytes).and_then(|mut new| {
            self.write_dump(&mut new, log.number, dump, moved)?;
            self.sync_data()?;
            let mark = SyncMark { covered: new.end, durable: 0, gone };
            new.mark(FrameKind::DumpEnd, |writer| mark.encode(writer))?;
            new.file.sync_data()?;
            Ok(new)
        });
        match made {
            Ok(mut new) => {
                new.base_done();
                self.segments.add_log(number, new.file.clone());
                let durable = Durable { seq: new.next_seq() - 1, log: number, end: new.end };
                let old = std::mem::replace(&mut *log, new);
                self.reclaim.sync_done();
                self.reclaim.retire(old.number, durable.seq);
                self.commit.appended(durable.seq);
                Ok(durable)
            }
            Err(error) => {
                log.abandon(number);
                // It is abandoned in writing; the name is only litter, which the next open sweeps up.
                let _ = self.segments.disk().remove(&path);
                Err(error)
            }
        }
    }

    /// Copies data out of the old log. What is damaged there stays damaged: the rest must not be kept from moving.
    fn move_data(&self, from: Place, buf: &mut [u8]) -> io::Result<Place> {
        let intact = match self.segments.read(from, buf) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                ::log::error!("{error}");
                self.segments.read_unchecked(from, buf)?;
                false
            }
            Err(error) => return Err(error),
        };
        let mut summed = self.write_data(buf)?;
        if !intact {
            let Place { file, offset } = summed.place;
            summed.spoil();
            self.segments.with_sums(file, |known| known.replace(offset, summed.len_bytes, &summed.sums));
        }
        Ok(summed.place)
    }

    fn write_dump(
        &self,
        new: &mut Log,
        old_number: u32,
        dump: &mut dyn Iterator<Item = Record>,
        moved: &mut HashMap<Place, (u64, Place)>,
    ) -> io::Result<()> {
        let mut records = Vec::with_capacity(RECORDS_PER_FRAME);
        let mut buf = Vec::new();
        let mut sums = Vec::new();
        loop {
            records.clear();
            sums.clear();
            for mut record in (&mut *dump).take(RECORDS_PER_FRAME) {
                if let Record::Write { place, len_bytes, .. } = &mut record {
                    if place.file == old_number {
                        *place = match moved.get(place) {
                            Some((len, to)) if len == len_bytes => *to,
                            _ => {
                                buf.resize(*len_bytes as usize, 0);
                                let to = self.move_data(*place, &mut buf)?;
                                moved.insert(*place, (*len_bytes, to));
                                to
                            }
                        };
                    }
                    let known = self.segments.with_sums(place.file, |known| known.summed(*place, *len_bytes));
                    sums.extend(known.into_iter().flatten());
                }
                records.push(record);
            }
            if records.is_empty() {
                return Ok(());
            }
            let carried = Carried { inline: None, sums: &sums, may_use_reserve: true };
            new.batch(FrameKind::Dump, &records, carried, |_| None)?;
        }
    }
}
