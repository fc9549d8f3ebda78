//! The data segments, and finding any file of the delta by its number.
//!
//! Space is given out by moving one number under a lock; the writes themselves run side by side. A segment is never
//! written twice at the same place. Logs and segments share one range of numbers, so that a [`Place`] can name either;
//! a number is never used again.
//!
//! What is read is checked against its checksums before anyone sees it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::{Mutex, RwLock};

use super::sums::{Cover, FileSums, Grid, Summed};
use crate::disk::{Disk, DiskSpace, File, Open};
use crate::model::Place;

const PAGE_BYTES: u64 = 4096;

/// A data segment that may be written to.
#[derive(Debug)]
pub(super) struct Segment {
    pub number: u32,
    pub file: File,
    /// Bytes were written since its last sync began.
    dirty: AtomicBool,
}

impl Segment {
    pub fn new(number: u32, file: File, dirty: bool) -> Arc<Self> {
        Arc::new(Self { number, file, dirty: AtomicBool::new(dirty) })
    }

    pub fn soil(&self) {
        self.dirty.store(true, Ordering::Release);
    }
}

/// A file that can be read, with the checksums of what was written to it.
#[derive(Debug)]
struct Readable {
    file: File,
    sums: Mutex<FileSums>,
}

#[derive(Debug, Default)]
struct Current {
    segment: Option<Arc<Segment>>,
    /// What is given out of it.
    end: u64,
}

/// All files of the delta that can be read, and the segment that is written to.
#[derive(Debug)]
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    files: RwLock<HashMap<u32, Arc<Readable>>>,
    segments: RwLock<HashMap<u32, Arc<Segment>>>,
    current: Mutex<Current>,
    next_number: AtomicU32,
    /// Names were added or removed since the last sync of the directory began.
    dir_dirty: AtomicBool,
}

/// A place in a segment and the gap before it that will never be used.
struct Reserved {
    place: Place,
    gap: Option<(Place, u64)>,
}

/// Data that was written, and the gap before it that will never be used.
pub(super) struct Written {
    pub summed: Summed,
    pub gap: Option<(Place, u64)>,
}

impl Segments {
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, segment_bytes: u64, next_number: u32) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            segment_bytes,
            files: RwLock::default(),
            segments: RwLock::default(),
            current: Mutex::default(),
            next_number: AtomicU32::new(next_number),
            dir_dirty: AtomicBool::new(false),
        }
    }

    pub fn path_of_log(dir: &Path, number: u32) -> PathBuf {
        dir.join(format!("log.{number}"))
    }

    pub fn path_of_segment(dir: &Path, number: u32) -> PathBuf {
        dir.join(format!("data.{number}"))
    }

    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Sets the lowest number that was never used.
    pub fn set_next_number(&self, number: u32) {
        self.next_number.store(number, Ordering::Relaxed);
    }

    /// A number for a new file.
    pub fn next_number(&self) -> io::Result<u32> {
        self.next_number
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| number.checked_add(1))
            .map_err(|_| io::Error::other("the delta has used up its file numbers"))
    }

    /// Has a log read.
    pub fn add_log(&self, number: u32, file: File) {
        self.add_file(number, file, Grid::Own);
    }

    fn add_file(&self, number: u32, file: File, grid: Grid) {
        let readable = Readable { file, sums: Mutex::new(FileSums::new(grid)) };
        self.files.write().insert(number, Arc::new(readable));
    }

    pub fn add_segment(&self, segment: Arc<Segment>) {
        self.add_file(segment.number, segment.file.clone(), Grid::Pages);
        self.segments.write().insert(segment.number, segment);
    }

    /// Has a segment written to from `end` on.
    pub fn resume(&self, segment: Arc<Segment>, end: u64) {
        *self.current.lock() = Current { segment: Some(segment), end };
    }

    fn file(&self, number: u32) -> Option<Arc<Readable>> {
        self.files.read().get(&number).cloned()
    }

    /// Does something with the checksums of a file, if it is there.
    pub fn with_sums<T>(&self, number: u32, work: impl FnOnce(&mut FileSums) -> T) -> Option<T> {
        self.file(number).map(|readable| work(&mut readable.sums.lock()))
    }

    /// All checksums that logs told of are there.
    pub fn settle_sums(&self) {
        self.files.read().values().for_each(|readable| readable.sums.lock().settle());
    }

    pub fn segment(&self, number: u32) -> Option<Arc<Segment>> {
        self.segments.read().get(&number).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Segment>> {
        self.segments.read().values().cloned().collect()
    }

    /// The segment that is written to and where it ends.
    pub fn current(&self) -> Option<(u32, u64)> {
        let current = self.current.lock();
        current.segment.as_ref().map(|segment| (segment.number, current.end))
    }

    fn reserve(&self, len: u64) -> io::Result<(Arc<Segment>, Reserved)> {
        let mut current = self.current.lock();
        // Who writes whole pages will rewrite whole pages: aligned ones can be given back to the disk one by one.
        let aligned = |end: u64| if len.is_multiple_of(PAGE_BYTES) { end.next_multiple_of(PAGE_BYTES) } else { end };
        let full = current.end > 0 && aligned(current.end) + len > self.segment_bytes;
        if full || current.segment.is_none() {
            let segment = self.create()?;
            *current = Current { segment: Some(segment), end: 0 };
        }
        let Current { segment: Some(segment), end } = &mut *current else {
            return Err(io::Error::other("the delta has no data segment"));
        };
        let place = Place { file: segment.number, offset: aligned(*end) };
        let gap = (place.offset > *end).then(|| (Place { file: segment.number, offset: *end }, place.offset - *end));
        *end = place.offset + len;
        Ok((Arc::clone(segment), Reserved { place, gap }))
    }

    fn create(&self) -> io::Result<Arc<Segment>> {
        let number = self.next_number()?;
        let file = self.disk.open(&Self::path_of_segment(&self.dir, number), Open::CreateNew)?;
        self.dir_dirty.store(true, Ordering::Release);
        let segment = Segment::new(number, file, false);
        self.add_segment(Arc::clone(&segment));
        Ok(segment)
    }

    /// Writes bytes to where there is space. On failure also says what space was lost to it.
    pub fn write(&self, bytes: &[u8]) -> Result<Written, (io::Error, Option<(Place, u64)>)> {
        let len = bytes.len() as u64;
        if u32::try_from(len).is_err() {
            let why = format!("{len} bytes are too many for one write");
            return Err((io::Error::new(io::ErrorKind::InvalidInput, why), None));
        }
        let (segment, reserved) = self.reserve(len).map_err(|error| (error, None))?;
        let summed = Summed::of(reserved.place, bytes);
        match segment.file.write_at(reserved.place.offset, &[bytes]) {
            Ok(()) => {
                // After the write: whoever takes the mark off before syncing covers the bytes.
                segment.soil();
                self.with_sums(segment.number, |known| known.add(reserved.place.offset, len, &summed.sums));
                Ok(Written { summed, gap: reserved.gap })
            }
            Err(error) => {
                let lost = reserved.gap.map_or((reserved.place, len), |(start, gap)| (start, gap + len));
                let mut current = self.current.lock();
                let last = current.segment.as_ref().is_some_and(|current| current.number == segment.number)
                    && current.end == reserved.place.offset + len;
                if last {
                    current.end = lost.0.offset;
                }
                Err((error, (!last).then_some(lost)))
            }
        }
    }

    /// The segments with unsynced bytes; they count as clean from now on.
    pub fn take_dirty(&self) -> Vec<Arc<Segment>> {
        let segments = self.segments.read();
        segments.values().filter(|segment| segment.dirty.swap(false, Ordering::AcqRel)).cloned().collect()
    }

    /// Makes names that were added durable.
    pub fn sync_names(&self) -> io::Result<()> {
        if self.dir_dirty.swap(false, Ordering::AcqRel)
            && let Err(error) = self.disk.sync_dir(&self.dir)
        {
            self.dir_dirty.store(true, Ordering::Release);
            return Err(error);
        }
        Ok(())
    }

    pub fn soil_names(&self) {
        self.dir_dirty.store(true, Ordering::Release);
    }

    /// Forgets a file and removes its name.
    pub fn remove(&self, number: u32) -> io::Result<()> {
        let is_segment = self.segments.write().remove(&number).is_some();
        self.files.write().remove(&number);
        let path = if is_segment { Self::path_of_segment } else { Self::path_of_log }(&self.dir, number);
        self.disk.remove(&path)
    }

    /// The space of the disk.
    pub fn space(&self) -> io::Result<DiskSpace> {
        self.disk.space(&self.dir)
    }

    /// Fills `buf` from a place, if the bytes there are those that were written.
    ///
    /// # Errors
    /// Of the kind [`io::ErrorKind::InvalidData`] when they are not.
    pub fn read(&self, place: Place, buf: &mut [u8]) -> io::Result<()> {
        let readable = self.readable(place)?;
        let len = buf.len() as u64;
        let cover = readable.sums.lock().cover(place.offset, len);
        let cover = cover.ok_or_else(|| self.damaged(place, "is nothing that was written there"))?;
        if cover.start == place.offset && cover.end() == place.offset + len {
            return self.fill(&readable.file, place.file, &cover, buf);
        }
        let mut whole = vec![0; (cover.end() - cover.start) as usize];
        self.fill(&readable.file, place.file, &cover, &mut whole)?;
        let from = (place.offset - cover.start) as usize;
        buf.copy_from_slice(&whole[from..from + buf.len()]);
        Ok(())
    }

    fn fill(&self, file: &File, number: u32, cover: &Cover, buf: &mut [u8]) -> io::Result<()> {
        let place = |offset| Place { file: number, offset };
        let count = file.read_at(cover.start, buf)?;
        match cover.first_bad(&buf[..count]) {
            Some(at) if count < buf.len() => Err(self.damaged(place(at), "is missing")),
            Some(at) => Err(self.damaged(place(at), "does not have its checksum")),
            None => Ok(()),
        }
    }

    /// Fills `buf` from a place, whatever is there.
    pub fn read_unchecked(&self, place: Place, buf: &mut [u8]) -> io::Result<()> {
        if self.readable(place)?.file.read_at(place.offset, buf)? < buf.len() {
            return Err(self.damaged(place, "is missing"));
        }
        Ok(())
    }

    fn readable(&self, place: Place) -> io::Result<Arc<Readable>> {
        self.file(place.file).ok_or_else(|| self.damaged(place, "is missing, with the whole file"))
    }

    fn damaged(&self, place: Place, what: &str) -> io::Error {
        let path = if self.file(place.file).is_some_and(|readable| readable.sums.lock().is_log()) {
            Self::path_of_log(&self.dir, place.file)
        } else {
            Self::path_of_segment(&self.dir, place.file)
        };
        let why = format!("`{}` is damaged: the data at byte {} {what}", path.display(), { place.offset });
        io::Error::new(io::ErrorKind::InvalidData, why)
    }
}
