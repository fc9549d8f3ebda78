//! A disk that fails, and the order of what is made durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use aether::disk::{Disk, DiskFile, DiskSpace, File, Open, RealDisk};
use aether::model::{ChunkId, Leaf, Node};
use aether::store::{Store, StoreError, StoreOptions};
use tempfile::tempdir;

use super::{noise, open};

/// The real disk, which fails from the n-th change on, and writes down what it did.
#[derive(Debug)]
struct Faulty {
    left: AtomicI64,
    log: Mutex<Vec<String>>,
}

impl Faulty {
    fn new(left: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(left), log: Mutex::default() })
    }

    fn change(&self, what: &str, path: &Path) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(io::Error::from_raw_os_error(28));
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = if name.starts_with("tmp-") { "tmp" } else { name };
        self.log.lock().unwrap().push(format!("{what} {name}"));
        Ok(())
    }
}

#[derive(Debug)]
struct FaultyDisk(Arc<Faulty>);

#[derive(Debug)]
struct FaultyFile(Arc<Faulty>, File, PathBuf);

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        if how == Open::CreateNew {
            self.0.change("create", path)?;
        }
        Ok(Arc::new(FaultyFile(self.0.clone(), RealDisk.open(path, how)?, path.to_owned())))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.change("rename", from)?;
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.change("sync", dir)?;
        RealDisk.sync_dir(dir)
    }
    fn space(&self, dir: &Path) -> io::Result<DiskSpace> {
        RealDisk.space(dir)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.1.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bufs: &[&[u8]]) -> io::Result<()> {
        if let Err(error) = self.0.change("write", &self.2) {
            // A full disk takes a part.
            let bytes = bufs.concat();
            self.1.write_at(offset, &[&bytes[..bytes.len() / 2]])?;
            return Err(error);
        }
        self.1.write_at(offset, bufs)
    }
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }
    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.1.set_len(len_bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.change("sync", &self.2)?;
        self.1.sync_data()
    }
    fn punch(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.1.punch(offset, len_bytes)
    }
    fn allocate(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.1.allocate(offset, len_bytes)
    }
    fn has_other_names(&self) -> io::Result<bool> {
        self.1.has_other_names()
    }
    fn allocated_bytes(&self) -> io::Result<u64> {
        self.1.allocated_bytes()
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.1.try_lock()
    }
    fn try_lock_shared(&self) -> io::Result<bool> {
        self.1.try_lock_shared()
    }
}

fn faulty(dir: &Path, faults: &Arc<Faulty>) -> Store {
    Store::open(Arc::new(FaultyDisk(faults.clone())), dir, StoreOptions::default()).unwrap()
}

/// Stores several blocks of chunks, and nodes.
fn import(store: &Store) -> Result<Vec<(ChunkId, Vec<u8>)>, StoreError> {
    let writer = store.hold()?.writer()?;
    let mut chunks = Vec::new();
    for seed in 1..5 {
        let bytes = noise(seed, 200_000);
        chunks.push((writer.put_chunk(&bytes)?, bytes));
    }
    writer.put_node(&Node::Leaf(Leaf::default()))?;
    writer.finish()?;
    Ok(chunks)
}

#[test]
fn a_disk_that_fills_up_at_any_write_harms_nothing_and_can_be_gone_on_with() {
    let mut failures = 0;
    for left in 0.. {
        let dir = tempdir().unwrap();
        let before = open(dir.path());
        let writer = before.hold().unwrap().writer().unwrap();
        let old = writer.put_chunk(b"before").unwrap();
        writer.finish().unwrap();
        let faults = Faulty::new(left);
        let store = faulty(dir.path(), &faults);
        let imported = import(&store);
        assert_eq!(&store.chunk(old).unwrap()[..], b"before");
        let is_over = imported.is_ok();
        failures += usize::from(!is_over);
        faults.left.store(i64::MAX, Ordering::Relaxed);
        for (id, bytes) in import(&store).unwrap() {
            assert!(store.chunk(id).unwrap()[..] == bytes[..]);
            assert!(open(dir.path()).chunk(id).unwrap()[..] == bytes[..]);
        }
        let names = std::fs::read_dir(dir.path().join("packs")).unwrap();
        let left_over = names.filter(|name| name.as_ref().unwrap().file_name().as_encoded_bytes().starts_with(b"tmp"));
        assert_eq!(left_over.count(), 0, "after a failure at change {left}");
        if is_over {
            break;
        }
    }
    assert!(failures >= 8, "only {failures} places to fail");
}

#[test]
fn a_pack_is_synced_then_named_then_its_name_is_synced() {
    let dir = tempdir().unwrap();
    let faults = Faulty::new(i64::MAX);
    import(&faulty(dir.path(), &faults)).unwrap();
    let log = faults.log.lock().unwrap();
    let end = ["write tmp", "sync tmp", "rename tmp", "sync packs"];
    assert!(log.iter().map(String::as_str).collect::<Vec<_>>().ends_with(&end), "{log:?}");
}

#[test]
fn a_new_store_has_a_durable_directory() {
    let dir = tempdir().unwrap();
    let faults = Faulty::new(i64::MAX);
    drop(faulty(&dir.path().join("objects"), &faults));
    let log = faults.log.lock().unwrap();
    assert_eq!(log[0], "sync objects");
    assert!(log[1].starts_with("sync "), "{log:?}");
}
