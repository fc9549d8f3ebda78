//! What a mounted session says of the space that files take.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use crate::fixture::skipped;
use crate::workspace::Workspace;

const MIB: u64 = 1 << 20;

/// Bytes of disk that a file takes, as `stat(2)` says.
fn taken(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

/// A file of `len` bytes, with noise in the ranges given and holes around them.
fn sparse(path: &Path, len: u64, ranges: &[(u64, usize)]) {
    let file = File::create(path).unwrap();
    file.set_len(len).unwrap();
    for (offset, len) in ranges {
        let noise: Vec<u8> = (0..*len).map(|at| ((at * at) >> 7) as u8 | 1).collect();
        file.write_all_at(&noise, *offset).unwrap();
    }
}

#[test]
fn holes_take_no_space_in_files_old_and_new() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    sparse(&origin.join("hole"), 9 * MIB, &[]);
    sparse(&origin.join("sparse"), 64 * MIB, &[(0, 8192), (32 * MIB, 3 << 20)]);
    sparse(&origin.join("dense"), 5 * MIB, &[(0, 5 << 20)]);
    sparse(&origin.join("small"), 5, &[(0, 5)]);
    workspace.session_on(&origin);
    let mount = workspace.mount();
    // Listed first, so that what the listing brings along is what counts.
    assert_eq!(fs::read_dir(mount.root()).unwrap().count(), 4);
    for name in ["hole", "sparse", "dense", "small"] {
        assert_eq!(taken(&mount.root().join(name)), taken(&origin.join(name)), "{name}");
    }
    // Over the base's data, over its holes' end, and behind it.
    let dense = OpenOptions::new().write(true).open(mount.root().join("dense")).unwrap();
    dense.write_all_at(&[1; 8192], 4096).unwrap();
    assert_eq!(taken(&mount.root().join("dense")), 5 * MIB);
    dense.write_all_at(&[1; 8192], 9 * MIB).unwrap();
    assert_eq!(taken(&mount.root().join("dense")), 5 * MIB + 8192);
    fallocate(&dense, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, MIB).unwrap();
    assert_eq!(taken(&mount.root().join("dense")), 4 * MIB + 8192);
    dense.set_len(2 * MIB).unwrap();
    assert_eq!(taken(&mount.root().join("dense")), MIB);
    dense.set_len(8 * MIB).unwrap();
    assert_eq!(taken(&mount.root().join("dense")), MIB);
    sparse(&mount.root().join("new"), 8 << 40, &[(5 << 40, 4096)]);
    assert_eq!(taken(&mount.root().join("new")), 4096);
}

#[test]
fn allocating_takes_space_as_far_as_there_is_any() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let file = File::create(mount.root().join("a")).unwrap();
    file.write_all_at(&[1; 4096], MIB).unwrap();
    fallocate(&file, FallocateFlags::empty(), 0, 4 * MIB).unwrap();
    assert_eq!(taken(&mount.root().join("a")), 4 * MIB);
    assert_eq!(fs::metadata(mount.root().join("a")).unwrap().len(), 4 * MIB);
    // Allocated and never written is a hole to those who look for data.
    assert_eq!(seek(&file, SeekFrom::Data(0)), Ok(MIB));
    assert_eq!(seek(&file, SeekFrom::Hole(MIB)), Ok(MIB + 4096));
    assert_eq!(fallocate(&file, FallocateFlags::empty(), 0, 1 << 60), Err(Errno::NOSPC));
    assert_eq!(fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 1 << 60), Err(Errno::NOSPC));
    assert_eq!(fs::metadata(mount.root().join("a")).unwrap().len(), 4 * MIB);
    fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, 1 << 60).unwrap();
    assert_eq!(taken(&mount.root().join("a")), 0);
}
