//! Compares a frozen tree with a real one by every system call that could tell them apart.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use aether::model::{Body, BytePath, Entry, Kind, ROOT_INO, RootId, Totals};
use aether::overlay::{Lower, Whence};
use aether::store::{Store, tree};

/// All entries below the root, in the order of a walk.
pub fn all(store: &Store, root: RootId) -> Vec<(BytePath, Entry)> {
    fn below(store: &Store, path: &BytePath, entry: &Entry, found: &mut Vec<(BytePath, Entry)>) {
        let Body::Dir(dir) = entry.body else { return };
        for child in tree::entries(store, dir) {
            let child = Entry::clone(&child.unwrap());
            let path = path.join(&child.name);
            found.push((path.clone(), child.clone()));
            below(store, &path, &child, found);
        }
    }
    let mut found = Vec::new();
    below(store, &BytePath::root(), &store.root(root).unwrap().as_entry(), &mut found);
    found
}

/// The whole content of a frozen file.
pub fn content(store: &Store, entry: &Entry) -> Vec<u8> {
    let Body::File(content) = &entry.body else { panic!("{entry:?} is no file") };
    let mut bytes = vec![0; entry.attr.size as usize];
    store.read(content, entry.attr.size, 0, &mut bytes).unwrap();
    bytes
}

/// Checks that the frozen tree is the real one.
pub fn assert_same(store: &Store, root: RootId, origin: &Path) {
    let stored = store.root(root).unwrap();
    let mut entries = all(store, root);
    let real = real_paths(origin);
    let stored_paths: Vec<_> = entries.iter().map(|(path, _)| path.as_bytes().to_vec()).collect();
    let mut sorted = stored_paths.clone();
    sorted.sort();
    assert_eq!(sorted, real, "the same names");

    let links = count_names(&entries);
    let mut files = 0;
    let mut bytes = 0;
    entries.push((BytePath::root(), stored.as_entry()));
    let mut seen = std::collections::HashSet::new();
    for (path, entry) in &entries {
        assert_same_inode(store, entry, &origin.join(path.as_path()), path.is_root());
        assert!(entry.attr.ino < stored.next_ino);
        if entry.attr.kind != Kind::Dir {
            assert_eq!(entry.attr.nlink, links[&entry.attr.ino], "link count of {path:?}");
            if seen.insert(entry.attr.ino) {
                files += 1;
                bytes += if entry.attr.kind == Kind::File { entry.attr.size } else { 0 };
            }
        }
    }
    let dirs = entries.iter().filter(|(_, entry)| entry.attr.kind == Kind::Dir).count() as u64;
    assert_eq!(stored.totals, Totals { files, dirs, size_bytes: bytes });
}

fn count_names(entries: &[(BytePath, Entry)]) -> HashMap<u64, u32> {
    let mut names = HashMap::new();
    for (_, entry) in entries {
        *names.entry(entry.attr.ino).or_insert(0) += 1;
    }
    names
}

fn real_paths(origin: &Path) -> Vec<Vec<u8>> {
    fn below(top: &Path, dir: &Path, found: &mut Vec<Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(top).unwrap().as_os_str().as_bytes().to_vec());
            if entry.file_type().unwrap().is_dir() {
                below(top, &entry.path(), found);
            }
        }
    }
    let mut found = Vec::new();
    below(origin, origin, &mut found);
    found.sort();
    found
}

fn assert_same_inode(store: &Store, entry: &Entry, path: &Path, is_root: bool) {
    let real = fs::symlink_metadata(path).unwrap();
    let attr = &entry.attr;
    let shown = path.display();
    assert_eq!(attr.mode(), real.mode(), "mode of {shown}");
    assert_eq!((attr.uid, attr.gid), (real.uid(), real.gid()), "owner of {shown}");
    let mtime = (attr.mtime.secs, i64::from(attr.mtime.nanos));
    assert_eq!(mtime, (real.mtime(), real.mtime_nsec()), "mtime of {shown}");
    assert_eq!((attr.ctime.secs, i64::from(attr.ctime.nanos)), (real.ctime(), real.ctime_nsec()), "ctime of {shown}");
    if let Ok(created) = real.created() {
        assert_eq!(SystemTime::from(attr.btime), created, "creation of {shown}");
    }
    assert_eq!(attr.atime, attr.mtime, "an access is no change of {shown}");
    assert_eq!(attr.ino, if is_root { ROOT_INO } else { real.ino() }, "number of {shown}");
    let is_device = real.file_type().is_char_device() || real.file_type().is_block_device();
    assert_eq!(u64::from(attr.rdev), if is_device { real.rdev() } else { 0 }, "device number of {shown}");
    assert_eq!(xattrs(entry), real_xattrs(path), "attributes of {shown}");
    match &entry.body {
        Body::File(_) => {
            assert_eq!(attr.size, real.len(), "size of {shown}");
            assert!(content(store, entry) == fs::read(path).unwrap(), "content of {shown}");
            assert_eq!(data_runs(store, entry), real_data_runs(path), "holes of {shown}");
        }
        Body::Symlink(target) => {
            assert_eq!(&**target, fs::read_link(path).unwrap().as_os_str().as_bytes());
            assert_eq!(attr.size, target.len() as u64);
        }
        Body::Dir(_) => {
            let subdirs =
                fs::read_dir(path).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir());
            assert_eq!(attr.nlink as usize, 2 + subdirs.count(), "links of {shown}");
            assert_eq!(attr.size, 0);
        }
        Body::Special => {}
    }
}

fn xattrs(entry: &Entry) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let pairs = entry.xattrs.iter().flat_map(|map| map.iter());
    pairs.map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn real_xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 64 << 10];
    let Ok(len) = rustix::fs::llistxattr(path, &mut names[..]) else { return BTreeMap::new() };
    let names = names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 64 << 10];
            let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            (name.to_vec(), value[..len].to_vec())
        })
        .collect()
}

fn data_runs(store: &Store, entry: &Entry) -> Vec<(u64, u64)> {
    let Body::File(content) = &entry.body else { return Vec::new() };
    let size = entry.attr.size;
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(start) = store.seek(content, size, at, Whence::Data).unwrap() {
        let end = store.seek(content, size, start, Whence::Hole).unwrap().unwrap_or(size);
        runs.push((start, end));
        at = end;
        if at >= size {
            break;
        }
    }
    runs
}

fn real_data_runs(path: &Path) -> Vec<(u64, u64)> {
    use rustix::fs::{SeekFrom, seek};
    let file = fs::File::open(path).unwrap();
    // Data without a place on the disk can pass for a hole.
    file.sync_data().unwrap();
    let size = file.metadata().unwrap().len();
    let mut runs = Vec::new();
    let mut at = 0;
    while at < size {
        let Ok(start) = seek(&file, SeekFrom::Data(at)) else { break };
        let end = seek(&file, SeekFrom::Hole(start)).unwrap();
        runs.push((start, end.min(size)));
        at = end;
    }
    runs
}
