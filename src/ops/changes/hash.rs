//! The hash of a change set: what an approval is given for.
//!
//! BLAKE3 over `aether changes 1\0` and, for each path that differs, in the order of their bytes:
//!
//! - the path behind its length, and the code of the kind that is there now, 0 for none;
//! - unless there is none, the permission bits (0 for a symbolic link);
//! - of a file its length and the BLAKE3 of its bytes, of a symbolic link its target behind its length, of a device its
//!   number.
//!
//! Integers are LEB128, as in tree nodes. A rename is a deletion and an addition, so the hash does not depend on how
//! renames are found. Times, owners, inode numbers, extended attributes and holes play no part, nor does it matter
//! whether a file is frozen or still in a session's delta.

use crate::model::{ChangeKind, ChangeSetHash, Kind, ObjectId, Writer};
use crate::overlay::{Error, SnapshotBody, SnapshotEntry};

use super::content::FileOf;
use super::{Change, TreeView};

const PREFIX: &[u8] = b"aether changes 1\0";

/// The hash of these changes, which [`super::changes`] found between some tree and `new`. Reads every changed file.
///
/// # Errors
/// [`Error`] when a file cannot be read.
pub fn change_set_hash(changes: &[Change], new: &dyn TreeView) -> Result<ChangeSetHash, Error> {
    let mut lines = Vec::with_capacity(changes.len());
    for change in changes {
        if let ChangeKind::Renamed { from } = &change.kind {
            lines.push((from, None));
        }
        lines.push((&change.path, change.new.as_ref()));
    }
    lines.sort_unstable_by_key(|(path, _)| *path);
    let mut hasher = blake3::Hasher::new();
    hasher.update(PREFIX);
    let mut line = Writer::default();
    for (path, entry) in lines {
        line.0.clear();
        line.bytes(path.as_bytes());
        match entry {
            None => line.byte(0),
            Some(entry) => encode(entry, new, &mut line)?,
        }
        hasher.update(&line.0);
    }
    Ok(ChangeSetHash(ObjectId(*hasher.finalize().as_bytes())))
}

fn encode(entry: &SnapshotEntry, view: &dyn TreeView, line: &mut Writer) -> Result<(), Error> {
    let attr = &entry.attr;
    line.byte(attr.kind.code());
    line.uint(if attr.kind == Kind::Symlink { 0 } else { attr.perm.into() });
    match &entry.body {
        SnapshotBody::File(_) => {
            line.uint(attr.size);
            line.0.extend_from_slice(&FileOf { view, entry }.digest()?);
        }
        SnapshotBody::Symlink(target) => line.bytes(target),
        SnapshotBody::Special => line.uint(attr.rdev.into()),
        SnapshotBody::Dir(_) => {}
    }
    Ok(())
}
