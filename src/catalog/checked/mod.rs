//! Pages of the catalog that are checked whenever they are read.
//!
//! SQLite believes what it reads: a flipped bit in a row is another value. So the catalog's pages end with a checksum of
//! all that is before it, in bytes that SQLite leaves to its user ("reserved bytes"). It is put there when a page is
//! written to the file, and looked at when one is read from it. Pages in the write-ahead log have checksums of SQLite's own,
//! which it looks at only when it reads the log for the first time; they are looked at here each time.
//!
//! This is a VFS of SQLite that stands on the usual one (`vfs`), and does what SQLite's extension `cksumvfs` does; see
//! <https://sqlite.org/cksumvfs.html>. Reading something else than was written fails with `SQLITE_IOERR_DATA`.
//!
//! It does not see that a page is an older one, or that the log lacks its end: that is what `proof` is for.

mod page;
mod shared_memory;
mod vfs;
mod wal;

pub(super) use page::{
    BYTES as PAGE_BYTES, RESERVED_AT, RESERVED_BYTES, is_right, is_right_but_for_its_reserve, seal_in,
};
pub(super) use vfs::{register, reserve};

#[cfg(test)]
mod tests;
