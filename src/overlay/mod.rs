//! All file-system semantics, without FUSE, SQL or a disk.
//!
//! An overlay is a frozen [`Lower`] tree plus what a session changed, which is kept in memory and written to an
//! [`Upper`] journal before anyone is told that it happened. What it offers is [`Files`].

mod error;
mod files;
mod lower;
mod upper;

pub use error::Error;
pub use files::{Access, Caller, DirEntry, Falloc, Files, RenameMode, SetAttr, SetTime, Space, Whence, XattrMode};
pub use lower::{Lower, LowerError};
pub use upper::{Payload, Pin, Upper};
