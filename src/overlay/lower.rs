//! The frozen tree below a session, as the overlay sees it.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::model::{Content, Node, NodeId, ObjectId};

use super::Whence;

/// Why frozen data could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LowerError {
    /// An object is missing, or its bytes are not those it is named after.
    #[error("object {id:?} is damaged: {why}")]
    Damaged {
        /// The object.
        id: ObjectId,
        /// What is wrong with it.
        why: String,
    },
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A content-addressed, immutable tree. What it returns was checked against its hash.
pub trait Lower: Send + Sync + Debug {
    /// The node if it is in memory. Never waits for the disk, so it may be called under a lock.
    fn cached(&self, id: NodeId) -> Option<Arc<Node>>;

    /// The node, from memory or disk. Never called under a lock.
    ///
    /// # Errors
    /// [`LowerError`] when it is missing, damaged or unreadable.
    fn load(&self, id: NodeId) -> Result<Arc<Node>, LowerError>;

    /// Fills `buf` from `offset` on. The caller keeps `offset + buf.len()` within `len_bytes`, the file's length.
    ///
    /// # Errors
    /// [`LowerError`] when any byte asked for cannot be had; `buf` then has no meaning.
    fn read(&self, content: &Content, len_bytes: u64, offset: u64, buf: &mut [u8]) -> Result<(), LowerError>;

    /// The first offset at or after `offset`, below `len_bytes`, that is data (or hole); `None` if there is none.
    /// The end of the file is not reported as a hole here.
    ///
    /// # Errors
    /// [`LowerError`] when the content's manifest cannot be had.
    fn seek(&self, content: &Content, len_bytes: u64, offset: u64, what: Whence) -> Result<Option<u64>, LowerError>;
}
