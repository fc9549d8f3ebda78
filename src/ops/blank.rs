//! The tree of a source or session that began with nothing, one empty directory; and what sessions stand on.

use crate::catalog::Session;
use crate::model::{Attr, FIRST_INO, Kind, ROOT_INO, Root, RootId, Timestamp, Totals};
use crate::store::tree::write_dir;
use crate::store::{Store, StoreError};

use super::live::SessionBase;

/// Stores the tree. The same time and owner give the same root, so storing it again costs nothing.
///
/// # Errors
/// [`StoreError`].
pub fn root(store: &Store, created_ns: i64) -> Result<RootId, StoreError> {
    let nanos = created_ns.rem_euclid(1_000_000_000) as u32;
    let created = Timestamp::new(created_ns.div_euclid(1_000_000_000), nanos);
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let writer = store.hold()?.writer()?;
    let dir = write_dir(&writer, Vec::new())?;
    let root = writer.put_root(&Root {
        attr: Attr::new(ROOT_INO, Kind::Dir, 0o755, uid, gid, created),
        dir,
        xattrs: None,
        next_ino: FIRST_INO,
        totals: Totals { files: 0, dirs: 1, size_bytes: 0 },
    })?;
    writer.finish()?;
    Ok(root)
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
