//! The session's journal and data, as the overlay sees them.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::model::{Ino, Place, Record, Timestamp};

use super::Space;

/// Bytes that a batch writes to a file, still in the caller's memory.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// The file.
    pub ino: Ino,
    /// Where in the file.
    pub offset: u64,
    /// The bytes; never empty.
    pub bytes: &'a [u8],
    /// When.
    pub time: Timestamp,
}

/// While one is held, no range of the upper's data that could be found through a live place is given back to the disk.
#[derive(Clone, Debug)]
pub struct Pin(pub Arc<()>);

/// Where a session's changes go. Calls may come from many threads at once; batches are ordered by the caller.
pub trait Upper: Send + Sync + Debug {
    /// Writes bytes ahead of the batch that will name them, in a [`Record::Write`] with the place returned.
    /// Bytes that no batch names are lost at the next open, which is no harm.
    ///
    /// # Errors
    /// What the disk says (`ENOSPC`, `EDQUOT`, `EIO`…). Nothing is left to clean up.
    fn stage(&self, bytes: &[u8]) -> io::Result<Place>;

    /// Appends one batch. When it returns, the batch survives the death of the process; after a failure it has not
    /// happened, and later batches can succeed. With a payload, the batch ends with a [`Record::Write`] of it, which
    /// the upper adds, and the place it chose is returned.
    ///
    /// # Errors
    /// What the disk says.
    fn append(&self, batch: &[Record], payload: Option<Payload<'_>>) -> io::Result<Option<Place>>;

    /// Fills `buf` with bytes written earlier, starting at a place inside them.
    ///
    /// # Errors
    /// What the disk says; `UnexpectedEof` when the bytes are not there, which is damage.
    fn read(&self, place: Place, buf: &mut [u8]) -> io::Result<()>;

    /// Keeps data from being given back while the caller reads places it looked up.
    fn pin(&self) -> Pin;

    /// Says that nothing refers to these ranges (place, length in bytes) any more, once the batches appended so far
    /// are durable. They are given back to the disk some time later.
    fn release(&self, ranges: &[(Place, u64)]);

    /// Makes everything appended so far durable: data first, then the records that name it. Callers share syncs.
    ///
    /// # Errors
    /// What the disk says. After a failure the journal refuses to call anything durable until a later sync succeeds
    /// on data written anew.
    fn sync(&self) -> io::Result<()>;

    /// The space of the disk that changes go to.
    ///
    /// # Errors
    /// What `statfs(2)` says.
    fn space(&self) -> io::Result<Space>;
}
