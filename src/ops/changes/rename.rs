//! Finds renames: what is gone at one path and there at another.
//!
//! The same inode number with the same birth time is the same file, whatever was done to it since (numbers alone are
//! reused by the file systems that sources come from). After that, files of equal content are paired, those of equal
//! names first. Directories are found by their inode too; each file in them is a rename of its own.

use std::collections::HashMap;

use crate::model::{ChangeKind, Content, Ino, Kind, Timestamp};
use crate::overlay::{Error, SnapshotBody, SnapshotEntry};

use super::content::FileOf;
use super::{Change, TreeView};

/// Longer files are not paired by content unless both are frozen: it would mean to read them.
const MAX_READ_BYTES: u64 = 64 << 20;

/// Of more files of one content not all are asked for their names.
const MAX_CANDIDATES: usize = 100;

/// What makes two files equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sameness {
    Inode(Kind, Ino, Timestamp),
    Content(Content, u64),
    Digest([u8; 32], u64),
}

/// Turns pairs of additions and deletions into renames. The changes stay in the order of their paths.
pub(super) fn find_renames(changes: Vec<Change>, old: &dyn TreeView, new: &dyn TreeView) -> Result<Vec<Change>, Error> {
    let mut slots: Vec<Option<Change>> = changes.into_iter().map(Some).collect();
    pair_up(&mut slots, |entry, _| Ok(Some(Sameness::Inode(entry.attr.kind, entry.attr.ino, entry.attr.btime))))?;
    let sizes = Sizes::of(&slots);
    pair_up(&mut slots, |entry, is_new| sizes.sameness(entry, if is_new { new } else { old }))?;
    Ok(slots.into_iter().flatten().collect())
}

/// Pairs each deletion with an addition of the same sameness.
fn pair_up(
    slots: &mut [Option<Change>],
    sameness: impl Fn(&SnapshotEntry, bool) -> Result<Option<Sameness>, Error>,
) -> Result<(), Error> {
    let mut gone: HashMap<Sameness, Vec<usize>> = HashMap::new();
    for (index, change) in slots.iter().enumerate() {
        if let Some(Change { kind: ChangeKind::Deleted, old: Some(entry), .. }) = change
            && let Some(key) = sameness(entry, false)?
        {
            gone.entry(key).or_default().push(index);
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    for index in 0..slots.len() {
        let Some(Change { kind: ChangeKind::Added, new: Some(entry), path, .. }) = &slots[index] else { continue };
        let Some(candidates) = sameness(entry, true)?.and_then(|key| gone.get_mut(&key)) else { continue };
        let has_name =
            |&at: &usize| slots[at].as_ref().is_some_and(|change| change.path.file_name() == path.file_name());
        let chosen = candidates.iter().take(MAX_CANDIDATES).position(has_name).unwrap_or(0);
        if chosen < candidates.len()
            && let Some(deleted) = slots[candidates.remove(chosen)].take()
            && let Some(added) = &mut slots[index]
        {
            added.kind = ChangeKind::Renamed { from: deleted.path };
            added.old = deleted.old;
        }
    }
    Ok(())
}

/// What of one length came and went.
#[derive(Default)]
struct Sizes(HashMap<u64, Side>);

#[derive(Default)]
struct Side {
    added: bool,
    deleted: bool,
    /// Whether one of them has no frozen content to know it by.
    written: bool,
}

impl Sizes {
    fn of(slots: &[Option<Change>]) -> Self {
        let mut sizes = Self::default();
        for change in slots.iter().flatten() {
            let entry = match (&change.kind, &change.old, &change.new) {
                (ChangeKind::Deleted, Some(old), _) => old,
                (ChangeKind::Added, _, Some(new)) => new,
                _ => continue,
            };
            if let SnapshotBody::File(content) = entry.body {
                let side = sizes.0.entry(entry.attr.size).or_default();
                side.added |= change.kind == ChangeKind::Added;
                side.deleted |= change.kind == ChangeKind::Deleted;
                side.written |= content.is_none();
            }
        }
        sizes
    }

    /// By what a file is known. Empty files are all alike, and so never renamed.
    fn sameness(&self, entry: &SnapshotEntry, view: &dyn TreeView) -> Result<Option<Sameness>, Error> {
        let SnapshotBody::File(content) = entry.body else { return Ok(None) };
        let size = entry.attr.size;
        let Some(side) = self.0.get(&size).filter(|side| size > 0 && side.added && side.deleted) else {
            return Ok(None);
        };
        match content {
            Some(content) if !side.written || size > MAX_READ_BYTES => Ok(Some(Sameness::Content(content, size))),
            _ if size > MAX_READ_BYTES => Ok(None),
            _ => Ok(Some(Sameness::Digest(FileOf { view, entry }.digest()?, size))),
        }
    }
}
