//! All file-system semantics, without FUSE, SQL or a disk.
//!
//! An overlay is a frozen [`Lower`] tree plus what a session changed, which is kept in memory and written to an
//! [`Upper`] journal before anyone is told that it happened. What it offers is [`Files`].

mod acl;
mod added;
mod attr_ops;
mod core;
mod cow_map;
mod data_ops;
mod error;
mod extents;
mod file_data;
mod file_mark;
mod files;
mod impl_files;
mod ino_set;
mod inode;
mod known;
mod links;
mod list_ops;
mod lookups;
mod lower;
mod nodes;
mod packed;
mod resume;
mod snapshot;
mod state;
mod switch;
mod touched;
mod tree_ops;
mod txn;
mod upper;

pub use core::{Moved, Overlay, Replay};
pub use error::Error;
pub use file_mark::FileMark;
pub use files::{Access, Caller, DirEntry, Falloc, Files, RenameMode, SetAttr, SetTime, Space, Whence, XattrMode};
pub use links::Links;
pub use lower::{Lower, LowerError};
pub use snapshot::{Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry};
pub use switch::{Stale, Switch, Switched};
pub use upper::{Payload, Pin, Upper};
