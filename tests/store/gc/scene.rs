//! Small trees, and whether they can be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aether::disk::{Disk, DiskSpace, File, Open, RealDisk, SimDisk};
use aether::model::{Attr, Body, Entry, FIRST_INO, Kind, Name, ObjectId, ROOT_INO, Root, RootId, Timestamp, Totals};
use aether::overlay::{Lower, LowerError};
use aether::store::gc::{Collected, Options};
use aether::store::tree::{Step, walk, write_dir};
use aether::store::{Hold, Store, StoreError, StoreOptions, content};

use crate::store::noise;

/// Files by name, each as the seed and the length of its bytes.
pub type Files = BTreeMap<String, (u64, usize)>;

/// Some files, the same for the same seeds.
pub fn files(seeds: impl IntoIterator<Item = u64>) -> Files {
    seeds.into_iter().map(|seed| (format!("f{seed}"), (seed, 2_000 + (seed as usize * 7_919) % 150_000))).collect()
}

/// Stores a tree with these files in a directory below its root.
pub fn store_tree(hold: &Hold, files: &Files) -> Result<RootId, StoreError> {
    let writer = hold.writer()?;
    let mut entries = Vec::new();
    for (at, (name, (seed, len))) in files.iter().enumerate() {
        let mut attr = Attr::new(FIRST_INO + 1 + at as u64, Kind::File, 0o644, 0, 0, Timestamp::default());
        attr.size = *len as u64;
        let body = Body::File(content::put(&writer, &noise(*seed, *len))?);
        entries.push(Entry { name: Name::new(name.as_bytes()).unwrap(), attr, body, xattrs: None });
    }
    let dir = write_dir(&writer, entries)?;
    let attr = Attr::new(FIRST_INO, Kind::Dir, 0o755, 0, 0, Timestamp::default());
    let top = Entry { name: Name::new(b"d").unwrap(), attr, body: Body::Dir(dir), xattrs: None };
    let dir = write_dir(&writer, vec![top])?;
    let root = writer.put_root(&Root {
        attr: Attr::new(ROOT_INO, Kind::Dir, 0o755, 0, 0, Timestamp::default()),
        dir,
        xattrs: None,
        next_ino: FIRST_INO + 1 + files.len() as u64,
        totals: Totals { files: files.len() as u64, dirs: 2, size_bytes: 0 },
    })?;
    writer.finish()?;
    Ok(root)
}

/// Stores a tree under a hold of its own.
pub fn import(store: &Store, files: &Files) -> RootId {
    store_tree(&store.hold().unwrap(), files).unwrap()
}

/// Reads a tree wholly.
pub fn read_tree(store: &Store, root: RootId, files: &Files) -> Result<(), LowerError> {
    let mut found = 0;
    walk::<LowerError>(store, root, |_, entry| {
        if let Body::File(content) = &entry.body {
            let (seed, len) = files[std::str::from_utf8(entry.name.as_bytes()).unwrap()];
            let mut bytes = vec![0; len];
            store.read(content, len as u64, 0, &mut bytes)?;
            assert!(bytes == noise(seed, len), "wrong bytes");
            found += 1;
        }
        Ok(Step::Into)
    })?;
    assert_eq!(found, files.len());
    Ok(())
}

pub fn ids(roots: &[RootId]) -> Vec<ObjectId> {
    roots.iter().map(|root| root.0).collect()
}

/// Collects with these roots.
pub fn collect(store: &Store, roots: &[RootId]) -> Result<Collected, StoreError> {
    store.collect(&mut |_| Ok::<_, StoreError>(ids(roots)), &Options::default(), &())
}

/// Bytes of all files in the directory of the packs.
pub fn pack_bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir.join("packs")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// A simulated disk, but for the index: SQLite knows only the real one, and the index is a cache.
#[derive(Clone, Debug)]
pub struct StoreDisk(pub SimDisk);

impl StoreDisk {
    fn of(&self, path: &Path) -> &dyn Disk {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("index") { &RealDisk } else { &self.0 }
    }

    /// Opens the store on it, without an index.
    pub fn open(&self, dir: &Path) -> Store {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let _ = std::fs::remove_file(dir.join(name));
        }
        Store::open(Arc::new(self.clone()), dir, StoreOptions::default()).unwrap()
    }

    /// The names of the packs' files.
    pub fn packs(&self, dir: &Path) -> Vec<String> {
        let names = self.0.list(&dir.join("packs")).unwrap();
        names.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }
}

impl Disk for StoreDisk {
    fn open(&self, path: &Path, how: Open) -> std::io::Result<File> {
        self.of(path).open(path, how)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.of(from).rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.of(path).remove(path)
    }
    fn remove_dir(&self, path: &Path) -> std::io::Result<()> {
        self.0.remove_dir(path)
    }
    fn create_dir(&self, path: &Path) -> std::io::Result<()> {
        self.0.create_dir(path)
    }
    fn list(&self, dir: &Path) -> std::io::Result<Vec<PathBuf>> {
        self.0.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.0.sync_dir(dir)
    }
    fn space(&self, dir: &Path) -> std::io::Result<DiskSpace> {
        self.0.space(dir)
    }
}
