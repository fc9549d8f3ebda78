//! Pure values: ids, names, attributes, tree nodes, the records of a session's journal, change sets.
//!
//! Nothing here does I/O, reads a clock, or knows SQL, FUSE, serde or the command line. Names and paths are bytes.

mod attr;
mod change;
mod codec;
mod content;
mod id;
pub mod merge;
mod name;
mod node;
mod path_pattern;
mod record;
mod time;

pub use attr::{Attr, FIRST_INO, Ino, Kind, ROOT_INO};
pub use change::{ChangeKind, ChangeSetHash};
pub use codec::{CodecError, Reader, Writer};
pub use content::{Content, Manifest, Part, PartRef};
pub use id::{ChunkId, ContentHash, NodeId, ObjectId, ObjectKind, RootId};
pub use name::{BytePath, Name, NameError};
pub use node::{Body, Branch, Child, DirRef, Entry, Leaf, Node, NodeKind, Root, Xattrs};
pub use path_pattern::PathPattern;
pub use record::{InodeRecord, Origin, Place, Record, Totals};
pub use time::Timestamp;
