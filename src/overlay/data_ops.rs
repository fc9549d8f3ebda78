//! Operations on the bytes of files.
//!
//! Reading has two steps: under the lock, find out where each piece of the range lies; without it, fetch the pieces.
//! A pin on the upper keeps what was found in place meanwhile. Writing never reads: what is written is kept as an
//! extent of its own, whatever its size, and the base shows through around it.

use std::io;

use crate::model::{Body, Entry, Ino, Kind, Record};

use super::attr_ops::MAX_SIZE;
use super::core::Overlay;
use super::extents::{Extent, Span};
use super::file_data::{Base, FileData};
use super::nodes::Stop;
use super::txn::{Txn, View, without_privileges};
use super::{Caller, Error, Falloc, Lower, Payload, Upper, Whence};

/// Writes of this many bytes and more go to the disk before the journal is locked, so that they run side by side.
const STAGE_BYTES: usize = 64 << 10;

/// How much is copied at a time inside the file system.
const COPY_BYTES: u64 = 1 << 20;

/// The pieces of a range of a file.
pub(super) struct Plan {
    spans: Vec<Span>,
    base: Option<Base>,
    visible: u64,
    size: u64,
}

impl Plan {
    /// The range of a file that is `size` bytes long now, cut off at its end.
    pub fn new(data: &FileData, size: u64, offset: u64, len: u64) -> Self {
        let len = len.min(size.saturating_sub(offset));
        let spans = if len == 0 { Vec::new() } else { data.spans(offset, len) };
        Self { spans, base: data.base(), visible: data.visible(), size }
    }

    /// Fetches the pieces into `buf`, whose first byte stands at `offset`; returns the bytes before the end of file.
    pub fn fetch(&self, lower: &dyn Lower, upper: &dyn Upper, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        for span in &self.spans {
            let from = (span.start - offset) as usize;
            self.fetch_span(lower, upper, span, &mut buf[from..from + span.len as usize])?;
        }
        Ok(self.size.saturating_sub(offset).min(buf.len() as u64) as usize)
    }

    fn fetch_span(&self, lower: &dyn Lower, upper: &dyn Upper, span: &Span, buf: &mut [u8]) -> Result<(), Error> {
        match (span.extent, self.base) {
            (Some(Extent::Data(place)), _) => upper.read(place, buf).map_err(Error::Upper),
            (None, Some(base)) if span.start < self.visible => {
                let shown = (self.visible - span.start).min(span.len) as usize;
                let (head, tail) = buf.split_at_mut(shown);
                tail.fill(0);
                Ok(lower.read(&base.content, base.len, span.start, head)?)
            }
            _ => {
                buf.fill(0);
                Ok(())
            }
        }
    }

    /// The parts of the range that take no space: starts and lengths, in order. What shows of the base takes its own.
    fn unallocated(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let visible = if self.base.is_some() { self.visible } else { 0 };
        self.spans.iter().filter_map(move |span| match span.extent {
            Some(Extent::Data(_) | Extent::Zero { allocated: true }) => None,
            Some(Extent::Zero { allocated: false }) => Some((span.start, span.len)),
            None => {
                let start = span.start.max(visible);
                (start < span.end()).then(|| (start, span.end() - start))
            }
        })
    }

    /// The first data (or hole) in the range.
    pub fn seek(&self, lower: &dyn Lower, what: Whence) -> Result<Option<u64>, Error> {
        for span in &self.spans {
            if let Some(found) = self.seek_in(lower, span, what)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn seek_in(&self, lower: &dyn Lower, span: &Span, what: Whence) -> Result<Option<u64>, Error> {
        let is_data = |data: bool| (data == (what == Whence::Data)).then_some(span.start);
        match (span.extent, self.base) {
            (Some(Extent::Data(_)), _) => Ok(is_data(true)),
            (Some(Extent::Zero { .. }), _) => Ok(is_data(false)),
            (None, Some(base)) if span.start < self.visible => {
                let shown_end = self.visible.min(span.end());
                let found = lower.seek(&base.content, base.len, span.start, what)?;
                match found.filter(|&at| at < shown_end) {
                    Some(at) => Ok(Some(at)),
                    None if shown_end < span.end() && what == Whence::Hole => Ok(Some(shown_end)),
                    None => Ok(None),
                }
            }
            (None, _) => Ok(is_data(false)),
        }
    }
}

impl<L: Lower, U: Upper> Overlay<L, U> {
    pub(super) fn do_read(&self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let _pin = self.upper.pin();
        let plan = self.view(|view| plan(view, ino, offset, buf.len() as u64))?;
        plan.fetch(&*self.lower, &*self.upper, offset, buf)
    }

    pub(super) fn do_write(
        &self,
        caller: Caller,
        ino: Ino,
        offset: u64,
        bytes: &[u8],
        kill_priv: bool,
    ) -> Result<(), Error> {
        let len = bytes.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > MAX_SIZE) {
            return Err(Error::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let prepare = |txn: &mut Txn<'_>| {
            ready_to_write(txn, ino)?;
            if kill_priv {
                let attr = txn.attr(ino)?;
                let perm = without_privileges(&attr, caller);
                if perm != attr.perm {
                    txn.draft(ino)?.attr.perm = perm;
                }
            }
            Ok(())
        };
        if bytes.len() < STAGE_BYTES {
            let payload = Payload { ino, offset, bytes, time: caller.now };
            return self.change(caller, Some(payload), prepare);
        }
        self.view(|view| regular_file(view, ino))?;
        let place = self.upper.stage(bytes).map_err(Error::Upper)?;
        let written = self.change(caller, None, |txn| {
            prepare(txn)?;
            txn.push(Record::Write { ino, offset, len_bytes: len, place, time: caller.now });
            Ok(())
        });
        if written.is_err() {
            self.upper.release(&[(place, len)]);
        }
        written
    }

    pub(super) fn do_fallocate(
        &self,
        caller: Caller,
        ino: Ino,
        offset: u64,
        len: u64,
        how: Falloc,
    ) -> Result<(), Error> {
        let end = offset.checked_add(len).filter(|&end| end <= MAX_SIZE).ok_or(Error::TooLarge)?;
        let (punch, zero) = (how.contains(Falloc::PUNCH_HOLE), how.contains(Falloc::ZERO_RANGE));
        if len == 0 {
            return Err(Error::Invalid);
        }
        if punch && (zero || !how.contains(Falloc::KEEP_SIZE)) {
            return Err(Error::Unsupported);
        }
        let free_bytes = if punch { u64::MAX } else { self.free_bytes()? };
        self.change(caller, None, |txn| {
            let size = regular_file(&txn.view, ino)?;
            let allocated = plan(&txn.view, ino, offset, len)?;
            let behind = end - offset.max(size).min(end);
            let wanted = behind.saturating_add(allocated.unallocated().map(|(_, len)| len).sum());
            if !punch && wanted > free_bytes {
                return Err(Error::Upper(io::ErrorKind::StorageFull.into()).into());
            }
            ready_to_write(txn, ino)?;
            let now = txn.now();
            let attr = &mut txn.draft(ino)?.attr;
            if !how.contains(Falloc::KEEP_SIZE) {
                attr.size = attr.size.max(end);
            }
            attr.mtime = now;
            attr.ctime = now;
            if caller.uid != 0 {
                attr.perm = without_privileges(attr, caller);
            }
            let stop = end.min(attr.size);
            if (punch || zero) && offset < stop {
                txn.push(Record::Zero { ino, offset, len_bytes: stop - offset, allocated: zero });
            } else if offset < stop {
                let grown = (offset.max(size), stop.saturating_sub(offset.max(size)));
                for (offset, len_bytes) in allocated.unallocated().chain([grown]).filter(|&(_, len)| len > 0) {
                    txn.push(Record::Zero { ino, offset, len_bytes, allocated: true });
                }
            }
            Ok(())
        })
    }

    /// What can be allocated. Nothing is set aside for what was: it is the next write that may find the disk full.
    fn free_bytes(&self) -> Result<u64, Error> {
        let space = self.upper.space().map_err(Error::Upper)?;
        Ok(space.blocks_available.saturating_mul(space.block_bytes.into()))
    }

    /// How many bytes of disk a file takes; nothing for all else.
    pub(super) fn do_allocated_bytes(&self, ino: Ino) -> Result<u64, Error> {
        self.view(|view| match view.state.inodes.get(&ino) {
            Some(inode) => Ok(inode.allocated_bytes()),
            None => view.frozen(ino, |entry, _| frozen_bytes(entry)),
        })
    }

    pub(super) fn do_seek(&self, ino: Ino, offset: u64, what: Whence) -> Result<u64, Error> {
        let plan = self.view(|view| {
            let size = view.attr(ino)?.size;
            plan(view, ino, offset.min(size), size - offset.min(size))
        })?;
        if offset >= plan.size {
            return Err(Error::NoData);
        }
        match plan.seek(&*self.lower, what)? {
            Some(found) => Ok(found),
            None if what == Whence::Hole => Ok(plan.size),
            None => Err(Error::NoData),
        }
    }

    pub(super) fn do_copy(&self, caller: Caller, from: (Ino, u64), to: (Ino, u64), len: u64) -> Result<u64, Error> {
        let size = self.view(|view| {
            regular_file(view, to.0)?;
            regular_file(view, from.0)
        })?;
        let len = len.min(size.saturating_sub(from.1));
        if from.0 == to.0 && from.1 < to.1.saturating_add(len) && to.1 < from.1.saturating_add(len) {
            return Err(Error::Invalid);
        }
        let mut buf = vec![0; len.min(COPY_BYTES) as usize];
        let mut done = 0;
        while done < len {
            let want = (len - done).min(COPY_BYTES) as usize;
            let copied = self.do_read(from.0, from.1 + done, &mut buf[..want]).and_then(|count| {
                self.do_write(caller, to.0, to.1 + done, &buf[..count], caller.uid != 0)?;
                Ok(count)
            });
            match copied {
                Ok(0) => break,
                Ok(count) => done += count as u64,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// The size of a regular file; an error for anything else.
fn regular_file(view: &View<'_>, ino: Ino) -> Result<u64, Stop> {
    let attr = view.attr(ino)?;
    match attr.kind {
        Kind::File => Ok(attr.size),
        Kind::Dir => Err(Error::IsDir.into()),
        _ => Err(Error::Invalid.into()),
    }
}

/// How many bytes of disk a frozen file takes; nothing for all else.
pub(super) fn frozen_bytes(entry: &Entry) -> u64 {
    match &entry.body {
        Body::File(content) => content.data_bytes(entry.attr.size),
        _ => 0,
    }
}

/// Checks that it is a file, and takes it into the delta.
fn ready_to_write(txn: &mut Txn<'_>, ino: Ino) -> Result<(), Stop> {
    regular_file(&txn.view, ino)?;
    if !txn.view.state.inodes.contains_key(&ino) {
        txn.draft(ino)?;
    }
    Ok(())
}

fn plan(view: &View<'_>, ino: Ino, offset: u64, len: u64) -> Result<Plan, Stop> {
    let size = regular_file(view, ino)?;
    match view.state.inodes.get(&ino) {
        Some(inode) => Ok(Plan::new(inode.file().ok_or(Error::Invalid)?, size, offset, len)),
        None => view.frozen(ino, |entry, _| Plan::new(&FileData::frozen(&entry.body, size), size, offset, len)),
    }
}
