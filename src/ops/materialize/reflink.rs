//! Files that are still in the directory that a source was made of: on file systems that can, a copy shares their bytes.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::ioctl_ficlone;

use crate::model::{Body, BytePath, Entry, RootId};
use crate::ops::import::{Origin, Seen, same_stamp};
use crate::store::{Store, tree};

/// So many files in a row that could not be shared say that the file system cannot.
const MAX_FAILURES: u32 = 8;

/// Where files can be shared from.
pub(super) struct Reflinks {
    store: Store,
    /// What was imported.
    revision: RootId,
    origin: Origin,
    failures: Cell<u32>,
}

impl Reflinks {
    pub(super) fn new(store: &Store, revision: RootId, origin: &Path) -> Option<Self> {
        let origin = Origin::open(origin).ok()?;
        Some(Self { store: store.clone(), revision, origin, failures: Cell::new(0) })
    }

    /// Gives `file` the bytes of `entry`, which is at `path`, without copying them; says whether it did. If not, the file
    /// may hold anything.
    pub(super) fn share(&self, path: &BytePath, entry: &Entry, file: BorrowedFd<'_>) -> bool {
        if self.failures.get() >= MAX_FAILURES {
            return false;
        }
        let Some(imported) = self.imported(path, entry) else { return false };
        let shared = self.try_share(path, &imported, file);
        self.failures.set(if shared == Some(true) { 0 } else { self.failures.get() + 1 });
        shared == Some(true)
    }

    /// What was imported at the path, if it has the same bytes.
    fn imported(&self, path: &BytePath, entry: &Entry) -> Option<Entry> {
        let imported = tree::find_path(&self.store, self.revision, path).ok()??;
        let same = matches!((&imported.body, &entry.body), (Body::File(a), Body::File(b)) if a == b);
        (same && imported.attr.size == entry.attr.size).then_some(imported)
    }

    fn try_share(&self, path: &BytePath, imported: &Entry, file: BorrowedFd<'_>) -> Option<bool> {
        let dir = self.origin.open_dir(&path.parent()?).ok()?;
        let from = self.origin.open_file(dir.as_fd(), path.file_name()?, imported.attr.uid).ok()?;
        // It is what was imported before the bytes are shared, and still is afterwards.
        let untouched = || {
            let seen = Seen::at(&from, b"").ok()?;
            Some(same_stamp(&seen.attr, &imported.attr) && seen.attr.ino == imported.attr.ino)
        };
        Some(untouched()? && ioctl_ficlone(file, &from).is_ok() && untouched()?)
    }
}
