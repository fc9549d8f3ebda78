//! The tree of a source or session that began with nothing, one empty directory; and what sessions stand on.

use crate::catalog::Session;
use crate::model::{Attr, DirRef, FIRST_INO, Kind, Leaf, Node, ObjectId, ROOT_INO, Root, RootId, Timestamp, Totals};
use crate::store::tree::content_hash;
use crate::store::{Store, StoreError};

use super::live::SessionBase;

/// Its one directory.
fn dir() -> (Node, DirRef) {
    let leaf = Node::Leaf(Leaf::default());
    let node = leaf.seal().0;
    (leaf, DirRef { node, content: content_hash(&[]) })
}

fn tree(created_ns: i64) -> Root {
    let nanos = created_ns.rem_euclid(1_000_000_000) as u32;
    let created = Timestamp::new(created_ns.div_euclid(1_000_000_000), nanos);
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Root {
        attr: Attr::new(ROOT_INO, Kind::Dir, 0o755, uid, gid, created),
        dir: dir().1,
        xattrs: None,
        next_ino: FIRST_INO,
        totals: Totals { files: 0, dirs: 1, size_bytes: 0 },
    }
}

/// Stores the tree. The same time and owner give the same root, so storing it again costs nothing.
///
/// # Errors
/// [`StoreError`].
pub fn root(store: &Store, created_ns: i64) -> Result<RootId, StoreError> {
    let writer = store.hold()?.writer()?;
    writer.put_node(&dir().0)?;
    let root = writer.put_root(&tree(created_ns))?;
    writer.finish()?;
    Ok(root)
}

/// The objects of these trees, of the sessions that were made at these times. No row refers to them.
#[must_use]
pub fn objects(created_ns: impl IntoIterator<Item = i64>) -> Vec<ObjectId> {
    let roots = created_ns.into_iter().map(|created_ns| Node::Root(Box::new(tree(created_ns))).seal().0.0);
    roots.chain([dir().1.node.0]).collect()
}

/// What a session's delta lies on.
///
/// # Errors
/// [`StoreError`].
pub fn base_of(store: &Store, session: &Session) -> Result<SessionBase, StoreError> {
    let root = match session.base.root {
        Some(root) => root,
        None => root(store, session.created_ns)?,
    };
    Ok(SessionBase { root, delta: session.delta })
}

/// The tree that a session is compared with.
///
/// # Errors
/// [`StoreError`].
pub fn onto_of(store: &Store, session: &Session) -> Result<RootId, StoreError> {
    match session.base.onto {
        Some(root) => Ok(root),
        None => root(store, session.created_ns),
    }
}
