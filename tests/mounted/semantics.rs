//! What `aether-semantics(7)` says of limits and of what is not supported.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags, StatxFlags, XattrFlags};
use rustix::io::Errno;

use crate::fixture::skipped;
use crate::workspace::{Mount, Workspace};

/// A session on a directory with the file `old`, mounted.
fn mounted(workspace: &Workspace) -> Mount<'_> {
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("old"), vec![7; 100_000]).unwrap();
    workspace.session_on(&origin);
    workspace.mount()
}

/// The file of the source, and a new one.
fn both(mount: &Mount<'_>) -> [PathBuf; 2] {
    fs::write(mount.root().join("new"), vec![8; 100_000]).unwrap();
    ["old", "new"].map(|name| mount.root().join(name))
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap()
}

#[test]
fn what_is_not_supported_is_refused_by_its_errno() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let mount = mounted(&workspace);
    let nameless = rustix::fs::openat(CWD, mount.root(), OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR);
    assert_eq!(nameless.unwrap_err(), Errno::OPNOTSUPP);
    for path in both(&mount) {
        let file = open(&path);
        for mode in [FallocateFlags::COLLAPSE_RANGE, FallocateFlags::INSERT_RANGE] {
            assert_eq!(rustix::fs::fallocate(&file, mode, 0, 4096), Err(Errno::OPNOTSUPP));
        }
        let copy = File::create(mount.root().join("copy")).unwrap();
        assert_eq!(rustix::fs::ioctl_ficlone(&copy, file.as_fd()), Err(Errno::OPNOTSUPP));
        assert_eq!(rustix::fs::ioctl_getflags(&file), Err(Errno::NOTTY));
        assert_eq!(rustix::fs::ioctl_setflags(&file, rustix::fs::IFlags::IMMUTABLE), Err(Errno::NOTTY));
        let told = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::ALL).unwrap();
        assert_eq!(told.stx_mask & StatxFlags::BTIME.bits(), 0);
    }
    mount.end();
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let mount = mounted(&workspace);
    let at = |name: &[u8]| mount.root().join(std::ffi::OsStr::from_bytes(name));
    fs::write(at(&[0xff; 255]), b"").unwrap();
    assert_eq!(errno(fs::write(at(&[b'n'; 256]), b"").unwrap_err()), Errno::NAMETOOLONG);
    symlink("t".repeat(4095), at(b"link")).unwrap();
    assert_eq!(fs::read_link(at(b"link")).unwrap().as_os_str().len(), 4095);
    assert_eq!(errno(symlink("t".repeat(4096), at(b"longer")).unwrap_err()), Errno::NAMETOOLONG);
    for path in both(&mount) {
        let file = open(&path);
        file.set_len(i64::MAX as u64).unwrap();
        file.write_all_at(b"x", i64::MAX as u64 - 1).unwrap();
        assert_eq!(file.metadata().unwrap().len(), i64::MAX as u64);
        let set = |name: &str, len| rustix::fs::setxattr(&path, name, &vec![1; len], XattrFlags::empty());
        set("user.large", 65_536).unwrap();
        assert_eq!(set("user.larger", 65_537), Err(Errno::TOOBIG));
    }
    let names: Vec<String> = (0..300).map(|number| format!("user.{number:0>250}")).collect();
    let set = |name: &String| rustix::fs::setxattr(at(b"old"), name.as_str(), b"", XattrFlags::empty());
    let taken = names.iter().take_while(|name| set(name).is_ok()).count();
    assert_eq!(taken, (65_536 - "user.large\0".len()) / 256);
    mount.end();
}

#[test]
fn times_sizes_and_numbers_are_as_said() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let mount = mounted(&workspace);
    let origin = fs::metadata(workspace.path("origin/old")).unwrap();
    let facts = |path: &Path| {
        let meta = fs::metadata(path).unwrap();
        (meta.ino(), meta.atime_nsec(), meta.mtime_nsec(), meta.nlink())
    };
    assert_eq!(fs::metadata(mount.root().join("old")).unwrap().ino(), origin.ino());
    for path in both(&mount) {
        let before = facts(&path);
        assert_eq!(fs::read(&path).unwrap().len(), 100_000);
        assert_eq!(facts(&path), before, "reading leaves no trace");
        let direct = OpenOptions::new().read(true).custom_flags(OFlags::DIRECT.bits() as i32).open(&path).unwrap();
        let mut odd = [0; 7];
        direct.read_exact_at(&mut odd, 3).unwrap();
        assert_ne!(odd, [0; 7]);
        let renamed = path.with_extension("renamed");
        rustix::fs::renameat_with(CWD, &path, CWD, &renamed, RenameFlags::NOREPLACE).unwrap();
        assert_eq!(facts(&renamed), before);
        let held = File::open(&renamed).unwrap();
        fs::remove_file(&renamed).unwrap();
        held.read_exact_at(&mut odd, 99_000).unwrap();
        assert_eq!((held.metadata().unwrap().nlink(), held.metadata().unwrap().ino()), (0, before.0));
    }
    fs::create_dir_all(mount.root().join("dir/one")).unwrap();
    fs::create_dir(mount.root().join("dir/two")).unwrap();
    let dir = fs::metadata(mount.root().join("dir")).unwrap();
    assert_eq!((dir.len(), dir.nlink()), (0, 4));
    mount.end();
}
