//! What differs between two frozen trees, and how it is shown.

mod listed;
mod live;
mod patches;
mod scope;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aether::disk::RealDisk;
use aether::model::{ChangeKind, RootId};
use aether::ops::changes::{Change, Frozen, Scope, change_set_hash, changes};
use aether::ops::import::{ImportOptions, import_dir};
use aether::store::{Store, StoreOptions};
use tempfile::TempDir;

/// A store, and directories to import into it.
struct Bench {
    store: Store,
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Arc::new(RealDisk), &dir.path().join("objects"), StoreOptions::default()).unwrap();
        Self { store, dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn import(&self, dir: impl AsRef<Path>) -> RootId {
        let dir = self.dir.path().join(dir);
        import_dir(&self.store.hold().unwrap(), &dir, None, &ImportOptions::default(), &(), &AtomicBool::new(false))
            .unwrap()
            .root
    }

    fn changes_in(&self, old: RootId, new: RootId, scope: &Scope) -> Vec<Change> {
        let (old, new) = (self.store.root(old).unwrap(), self.store.root(new).unwrap());
        changes(&Frozen::new(&self.store, &old), &Frozen::new(&self.store, &new), scope).unwrap()
    }

    fn changes(&self, old: RootId, new: RootId) -> Vec<Change> {
        self.changes_in(old, new, &Scope::All)
    }

    fn hash(&self, old: RootId, new: RootId) -> String {
        let list = self.changes(old, new);
        let new = self.store.root(new).unwrap();
        change_set_hash(&list, &Frozen::new(&self.store, &new)).unwrap().to_string()
    }
}

/// The changes as lines of a name-status listing.
fn status(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| {
            let from = match &change.kind {
                ChangeKind::Renamed { from } => format!("{} -> ", from.as_bytes().escape_ascii()),
                _ => String::new(),
            };
            let slash = if change.is_dir() { "/" } else { "" };
            format!("{} {from}{}{slash}", change.kind.letter(), change.path.as_bytes().escape_ascii())
        })
        .collect()
}
