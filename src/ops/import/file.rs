//! Reads one file of the origin: opened, read with its holes, and taken only if it did not change meanwhile.
//!
//! A file counts as read if size, times and identity are the same before and after. Before reading, the clock is given
//! time to go past the file's change time, so that any later change gets another one: an import never stores bytes that
//! a refresh would then take for the file's present ones.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{SeekFrom, fdatasync, seek};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::model::{BytePath, Content, Kind, Name, Timestamp, Xattrs};
use crate::store::content::{self, ContentWriter};
use crate::store::{StoreError, Writer};

use super::list::read_xattrs;
use super::stat::Seen;
use super::walk::{Context, Part};
use super::xattr::Target;
use super::{ImportError, WhyUnreadable};

/// How often a file that changes is read before it is given up.
const ATTEMPTS: u32 = 5;

/// The longest that file systems of this machine let a change time lag behind the clock: a tick of 100 Hz, and room.
const MAX_TICK: Duration = Duration::from_millis(20);

/// How much of a file is read at a time.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// What became of a file.
pub(super) enum Outcome {
    Stored {
        seen: Seen,
        content: Content,
        xattrs: Option<Xattrs>,
    },
    /// It is gone, or is no file any more.
    Gone,
    Unreadable(WhyUnreadable),
}

/// Why an attempt came to nothing.
enum Failed {
    System(Errno),
    Import(ImportError),
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<ImportError> for Failed {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Import(error.into())
    }
}

pub(super) fn outcome_of(errno: Errno) -> Outcome {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::STALE => Outcome::Gone,
        // A symbolic link, a socket or a directory stands where the file was.
        Errno::LOOP | Errno::NXIO | Errno::ISDIR => Outcome::Unreadable(WhyUnreadable::Changing),
        errno => Outcome::Unreadable(WhyUnreadable::Content(errno)),
    }
}

/// A file to read.
pub(super) struct OneFile<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) writer: &'a Writer,
    pub(super) dir: BorrowedFd<'a>,
    pub(super) name: &'a Name,
    /// Path of the directory.
    pub(super) dir_path: &'a BytePath,
}

impl OneFile<'_> {
    /// Reads the file, again if it changes. `walked` is its state as the walk saw it; `buf` is [`BLOCK_BYTES`] long.
    pub(super) fn read(&self, walked: &Seen, buf: &mut [u8], part: &mut Part) -> Result<Outcome, ImportError> {
        let mut expected = Some(walked.clone());
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                self.context.check_cancelled()?;
                std::thread::sleep(Duration::from_millis(u64::from(attempt) * 2));
            }
            let failures = part.unreadable.len();
            match self.attempt(expected.take(), buf, part) {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => part.unreadable.truncate(failures),
                Err(Failed::System(errno)) => return Ok(outcome_of(errno)),
                Err(Failed::Import(error)) => return Err(error),
            }
        }
        Ok(Outcome::Unreadable(WhyUnreadable::Changing))
    }

    /// Reads the file once; `None` if it changed meanwhile.
    fn attempt(&self, expected: Option<Seen>, buf: &mut [u8], part: &mut Part) -> Result<Option<Outcome>, Failed> {
        let owner = expected.as_ref().map_or(u32::MAX, |seen| seen.attr.uid);
        let fd = self.context.origin.open_file(self.dir, self.name, owner)?;
        let before = match expected {
            Some(seen) => seen,
            None => Seen::at(&fd, b"")?,
        };
        if before.attr.kind != Kind::File {
            return Ok(Some(Outcome::Gone));
        }
        let_clock_pass(before.attr.ctime);
        let Some(content) = self.store(&fd, &before, buf)? else { return Ok(None) };
        let xattrs = read_xattrs(Target::Open(fd.as_fd()), || self.dir_path.join(self.name), part);
        let after = Seen::at(&fd, b"")?;
        if !after.is_same_state(&before) {
            return Ok(None);
        }
        Ok(Some(Outcome::Stored { seen: after, content, xattrs }))
    }
}

impl OneFile<'_> {
    /// Stores the bytes; `None` if there are not as many as there should be.
    fn store(&self, fd: &OwnedFd, seen: &Seen, buf: &mut [u8]) -> Result<Option<Content>, Failed> {
        let len_bytes = seen.attr.size;
        let sparse = has_holes(fd, len_bytes);
        if !sparse && len_bytes < buf.len() as u64 {
            // Room for one byte more than there should be, to see the end.
            let wanted = &mut buf[..=len_bytes as usize];
            let count = read_at(fd, 0, wanted)?;
            return if count as u64 == len_bytes {
                Ok(Some(content::put(self.writer, &buf[..count])?))
            } else {
                Ok(None)
            };
        }
        if sparse {
            // What was written and has no place on the disk yet can pass for a hole (seen on ext4 under load). Syncing
            // gives it one. A file that cannot be synced is on a file system that has no such delay.
            let _settled = fdatasync(fd);
        }
        let mut file = ContentWriter::new(self.writer);
        let mut runs = DataRuns { fd, len_bytes, sparse };
        while let Some((start, end)) = runs.next(file.len_bytes())? {
            file.hole(start - file.len_bytes())?;
            while file.len_bytes() < end {
                self.context.check_cancelled()?;
                let room = (end - file.len_bytes()).min(buf.len() as u64) as usize;
                let count = read_at(fd, file.len_bytes(), &mut buf[..room])?;
                if count == 0 {
                    return Ok(None);
                }
                file.data(&buf[..count])?;
            }
        }
        file.hole(len_bytes - file.len_bytes())?;
        Ok(Some(file.finish()?))
    }
}

/// Whether the file has a hole before its end. The count of its blocks does not tell: it has those of extended
/// attributes and of the map of the file in it, too.
fn has_holes(fd: &OwnedFd, len_bytes: u64) -> bool {
    len_bytes > 0 && seek(fd, SeekFrom::Hole(0)).is_ok_and(|hole| hole < len_bytes)
}

/// The runs of data of a file between its holes.
struct DataRuns<'a> {
    fd: &'a OwnedFd,
    len_bytes: u64,
    sparse: bool,
}

impl DataRuns<'_> {
    /// The first run that begins at `from` or after it.
    fn next(&mut self, from: u64) -> Result<Option<(u64, u64)>, Errno> {
        if from >= self.len_bytes {
            return Ok(None);
        }
        if !self.sparse {
            return Ok(Some((from, self.len_bytes)));
        }
        let start = match seek(self.fd, SeekFrom::Data(from)) {
            Ok(start) if start < self.len_bytes => start,
            Ok(_) | Err(Errno::NXIO) => return Ok(None),
            // The file system knows no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                self.sparse = false;
                return Ok(Some((from, self.len_bytes)));
            }
            Err(errno) => return Err(errno),
        };
        let end = seek(self.fd, SeekFrom::Hole(start))?.clamp(start + 1, self.len_bytes);
        Ok(Some((start.max(from), end)))
    }
}

/// Reads until `buf` is full or the file ends.
fn read_at(fd: &OwnedFd, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < buf.len() {
        match rustix::io::pread(fd, &mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

/// Waits until a change would get another change time than `ctime`. File systems take their times from the coarse
/// clock, so that what happens within one tick cannot be told apart.
fn let_clock_pass(ctime: Timestamp) {
    loop {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        let now = Timestamp::new(now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or(0));
        // A change time further ahead was not taken from this clock.
        let horizon = Timestamp::new(now.secs, now.nanos + MAX_TICK.subsec_nanos());
        if ctime < now || ctime > horizon {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
