//! File content: cut into chunks where the bytes say so, listed in manifests, and read back by range.
//!
//! Equal bytes with equal holes give equal [`Content`](crate::model::Content), however they were handed over: a new
//! version of a file must be cut anew from at most the chunk before the change, never patched with chunks cut elsewhere.
//! That makes comparing content a comparison of ids. The cut points are part of the on-disk format:
//!
//! - A file without holes of at most [`WHOLE_BYTES`] is one chunk.
//! - Otherwise each run of data between holes is cut by FastCDC in its 2020 form with normalisation level 1
//!   (Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS
//!   2020; gear table and masks of the `fastcdc` crate) between [`MIN_BYTES`] and [`MAX_BYTES`].
//! - The parts of a manifest are cut where a part's id says so into manifests of their own, and those again, until one is
//!   left: an edit rewrites one manifest a level.

mod manifest;
mod read;
mod rewrite;
mod write;

pub(super) use read::{read, seek};
pub use rewrite::{OldCuts, Rewritten, rewrite};
pub use write::{ContentWriter, put, put_small};

/// The longest file that is stored as one chunk, in bytes.
pub const WHOLE_BYTES: usize = 256 << 10;
/// The shortest chunk of a large file, but for the last one of a run, in bytes.
pub const MIN_BYTES: usize = 64 << 10;
/// What the length of chunks tends to, in bytes.
pub const AVG_BYTES: usize = 256 << 10;
/// The longest chunk of a large file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
