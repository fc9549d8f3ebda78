//! Importing directories, and comparing the frozen tree with the real one.

mod archives;
pub mod compare;
mod faithful;
mod interrupted;
mod left_out;
mod refresh;
mod repositories;
pub mod trees;
mod unreadable;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aether::disk::RealDisk;
use aether::model::RootId;
use aether::ops::import::{ImportError, ImportOptions, Imported, import_dir};
use aether::store::{Store, StoreOptions};
use tempfile::TempDir;

/// An empty store and an empty directory to import.
struct Bench {
    store: Store,
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("origin")).unwrap();
        let store = Store::open(Arc::new(RealDisk), &dir.path().join("objects"), StoreOptions::default()).unwrap();
        Self { store, dir }
    }

    fn origin(&self) -> std::path::PathBuf {
        self.dir.path().join("origin")
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.origin().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn import(&self) -> Imported {
        self.import_with(&ImportOptions::default()).unwrap()
    }

    fn import_with(&self, options: &ImportOptions) -> Result<Imported, ImportError> {
        import_dir(&self.store.hold().unwrap(), &self.origin(), None, options, &(), &AtomicBool::new(false))
    }

    fn refresh(&self, previous: RootId) -> Imported {
        self.refresh_from(&self.origin(), previous)
    }

    fn refresh_from(&self, origin: &Path, previous: RootId) -> Imported {
        let options = ImportOptions::default();
        import_dir(&self.store.hold().unwrap(), origin, Some(previous), &options, &(), &AtomicBool::new(false)).unwrap()
    }

    /// The paths of everything in the tree, directories with a slash at their end.
    fn paths(&self, root: RootId) -> Vec<String> {
        compare::all(&self.store, root)
            .into_iter()
            .map(|(path, entry)| {
                let slash = if matches!(entry.body, aether::model::Body::Dir(_)) { "/" } else { "" };
                format!("{}{slash}", path.as_bytes().escape_ascii())
            })
            .collect()
    }
}
