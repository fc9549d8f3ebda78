//! A mounted session against a plain directory: random operations by system calls give the same results and leave the
//! same trees, on files of the source as on new ones, through unmounting and mounting.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, SeekFrom};

use crate::fixture::skipped;
use crate::generated::generator::{Profile, generate};
use crate::generated::model::Model;
use crate::generated::operation::Op;
use crate::generated::shrink;
use crate::syscalls::{Facts, Place, Value, attributes, list, path_fd};
use crate::workspace::Workspace;

/// One file, as far as two file systems must agree.
#[derive(Debug, PartialEq)]
pub struct Item {
    facts: Facts,
    content: Option<blake3::Hash>,
    target: Vec<u8>,
    attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first path with this inode, which tells hard links.
    first: Vec<u8>,
}

/// Reads a whole tree by system calls.
pub fn read_tree(root: &Path) -> BTreeMap<Vec<u8>, Item> {
    let (mut tree, mut first) = (BTreeMap::new(), BTreeMap::new());
    let mut dirs = vec![Vec::new()];
    while let Some(path) = dirs.pop() {
        let at = root.join(std::ffi::OsStr::from_bytes(&path));
        for (name, kind) in list(path_fd(&at).unwrap()).unwrap() {
            if name == b".." || name == b"." && !path.is_empty() {
                continue;
            }
            let path = if path.is_empty() { name } else { [&path[..], b"/", &name].concat() };
            let item = read_item(&root.join(std::ffi::OsStr::from_bytes(&path)), &path, &mut first);
            if kind == FileType::Directory && path != b"." {
                dirs.push(path.clone());
            }
            tree.insert(path, item);
        }
    }
    tree
}

fn read_item(at: &Path, path: &[u8], first: &mut BTreeMap<u64, Vec<u8>>) -> Item {
    let fd = path_fd(at).unwrap();
    let stat = rustix::fs::fstat(&fd).unwrap();
    let kind = FileType::from_raw_mode(stat.st_mode);
    let target = if kind == FileType::Symlink {
        rustix::fs::readlinkat(&fd, "", Vec::new()).unwrap().into_bytes()
    } else {
        Vec::new()
    };
    let through = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
    let values = attributes(&through).unwrap().into_iter().map(|name| {
        let mut buf = vec![0; 1 << 16];
        let count = rustix::fs::getxattr(&through, &name[..], &mut buf[..]).unwrap();
        (name, buf[..count].to_vec())
    });
    Item {
        facts: Facts::of(&stat),
        content: (kind == FileType::RegularFile).then(|| content(&through)),
        target,
        attributes: values.collect(),
        first: first.entry(stat.st_ino).or_insert_with(|| path.to_vec()).clone(),
    }
}

/// A digest of the blocks that are not zero, whatever the file system keeps of the others.
fn content(path: &str) -> blake3::Hash {
    let file = std::fs::File::open(path).unwrap();
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while let Ok(start) = rustix::fs::seek(&file, SeekFrom::Data(at)) {
        let end = rustix::fs::seek(&file, SeekFrom::Hole(start)).unwrap();
        at = start / 4096 * 4096;
        while at < end {
            let mut block = [0; 4096];
            let mut count = 0;
            while count < block.len() {
                match rustix::io::pread(&file, &mut block[count..], at + count as u64).unwrap() {
                    0 => break,
                    more => count += more,
                }
            }
            if block.iter().any(|&byte| byte != 0) {
                hasher.update(&at.to_le_bytes()).update(&block[..count]);
            }
            at += 4096;
        }
    }
    hasher.finalize()
}

/// Fails with the first difference of two trees.
pub fn same_trees(plain: &Path, mounted: &Path) -> Result<(), String> {
    let (want, mut got) = (read_tree(plain), read_tree(mounted));
    for (path, want) in want {
        match got.remove(&path) {
            Some(found) if found == want => {}
            found => return Err(format!("`{}` is {found:?}\n  instead of {want:?}", path.escape_ascii())),
        }
    }
    match got.keys().next() {
        Some(path) => Err(format!("`{}` should not be there", path.escape_ascii())),
        None => Ok(()),
    }
}

/// Operations whose outcome does not depend on the file system's own limits.
fn operations(seed: u64, count: usize) -> Vec<Op> {
    let empty = Model::new(aether::model::Timestamp::new(0, 0));
    let mut ops = generate(seed, empty.state(), Profile { count, far: true, kernel: false, devices: false });
    for op in &mut ops {
        if let Op::SetXattr { value, .. } = op {
            // A plain disk keeps the attributes of a file in one block.
            value.len = value.len.min(300);
        }
    }
    ops
}

fn run(base: &[Op], ops: &[Op]) -> Result<(), String> {
    let workspace = Workspace::new();
    let plain = workspace.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let mut disk = Place::new(&plain);
    for op in base {
        let _ = disk.run(op);
    }
    workspace.session_on(&plain);
    for part in ops.chunks(60) {
        let mount = workspace.mount();
        same_trees(&plain, mount.root()).map_err(|fault| format!("after mounting: {fault}"))?;
        let (mut disk, mut session) = (Place::new(&plain), Place::new(mount.root()));
        for (step, op) in part.iter().enumerate() {
            let (want, got) = (disk.run(op), session.run(op));
            let same = match (&want, &got) {
                // What counts as a hole is the file system's choice; the trees' comparison sees wrong ones.
                (Ok(Value::Seek(_)), Ok(Value::Seek(_))) => true,
                _ => want == got,
            };
            if !same {
                return Err(format!("step {step}, {op:?}: should give {want:?}\n  but gives   {got:?}"));
            }
        }
        drop((disk, session));
        same_trees(&plain, mount.root()).map_err(|fault| format!("before unmounting: {fault}"))?;
        mount.end();
    }
    Ok(())
}

#[test]
fn random_operations_do_on_a_mount_what_they_do_on_a_disk() {
    if skipped() {
        return;
    }
    for seed in shrink::seeds(20, 6) {
        let mut ops = operations(seed, 330);
        let base = if seed.is_multiple_of(3) { Vec::new() } else { ops.drain(..150).collect() };
        shrink::check(seed, ops, &|ops| run(&base, ops));
    }
}
