//! The store as the frozen tree below a session.

use std::sync::Arc;

use crate::model::{Content, Node, NodeId};
use crate::overlay::{Lower, LowerError, Whence};

use super::{Store, content};

impl Lower for Store {
    fn cached(&self, id: NodeId) -> Option<Arc<Node>> {
        self.inner.caches.nodes.get(&id)
    }

    fn load(&self, id: NodeId) -> Result<Arc<Node>, LowerError> {
        self.node(id)
    }

    fn read(&self, content: &Content, _len_bytes: u64, offset: u64, buf: &mut [u8]) -> Result<(), LowerError> {
        content::read(self, content, offset, buf)
    }

    fn seek(&self, content: &Content, len_bytes: u64, offset: u64, what: Whence) -> Result<Option<u64>, LowerError> {
        content::seek(self, content, len_bytes, offset, what)
    }
}
