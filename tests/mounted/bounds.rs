//! Large numbers: deep paths, sparse files of terabytes, directories and walks of very many files, very many open ones;
//! and that the mount process stays small meanwhile.
//!
//! `AETHER_TEST_BOUNDS=full` asks for a million files and a hundred thousand open ones, which takes minutes.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::fixture::skipped;
use crate::workspace::Workspace;

#[allow(clippy::disallowed_methods)]
fn sized(short: usize, full: usize) -> usize {
    if std::env::var_os("AETHER_TEST_BOUNDS").is_some_and(|word| word == "full") { full } else { short }
}

/// Bytes of memory that a process has for itself.
fn memory_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn descriptors_of(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// The deepest directory below `top` whose path in `top` has about 4,000 bytes.
fn deep(top: &Path) -> PathBuf {
    let budget = 4_090 - top.as_os_str().len();
    let mut path = top.to_owned();
    let mut left = budget.min(4_000);
    while left > 20 {
        let len = (left - 1).min(97);
        path.push("d".repeat(len));
        left -= len + 1;
    }
    path
}

#[test]
fn a_path_of_four_thousand_bytes_works() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    let in_origin = deep(&origin);
    fs::create_dir_all(&in_origin).unwrap();
    fs::write(in_origin.join("f"), "deep").unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let old = mount.root().join(in_origin.strip_prefix(&origin).unwrap());
    assert_eq!(fs::read(old.join("f")).unwrap(), b"deep");
    fs::write(old.join("f"), "changed").unwrap();
    let new = deep(&mount.root().join("new"));
    fs::create_dir_all(&new).unwrap();
    fs::write(new.join("f"), "new").unwrap();
    assert!(new.as_os_str().len() > 3_900);
    mount.end();
    let mount = workspace.mount();
    assert_eq!(
        (fs::read(old.join("f")).unwrap(), fs::read(new.join("f")).unwrap()),
        (b"changed".into(), b"new".into())
    );
    fs::remove_dir_all(mount.root().join("new")).unwrap();
    mount.end();
}

#[test]
fn a_file_of_eight_tebibytes_is_mostly_holes() {
    if skipped() {
        return;
    }
    const SIZE: u64 = 8 << 40;
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    let make = |path: &Path| {
        let file = File::create(path).unwrap();
        file.set_len(SIZE).unwrap();
        file.write_all_at(b"middle", 5 << 40).unwrap();
        file.write_all_at(b"end", SIZE - 3).unwrap();
    };
    make(&origin.join("old"));
    workspace.session_on(&origin);
    let mount = workspace.mount();
    make(&mount.root().join("new"));
    for name in ["old", "new"] {
        let mut file = OpenOptions::new().read(true).write(true).open(mount.root().join(name)).unwrap();
        assert_eq!(file.metadata().unwrap().len(), SIZE);
        let data = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(4096)).unwrap();
        assert_eq!(data, 5 << 40);
        let mut bytes = [1; 9];
        file.read_exact_at(&mut bytes, (5 << 40) - 3).unwrap();
        assert_eq!(&bytes, b"\0\0\0middle");
        file.seek(SeekFrom::End(-3)).unwrap();
        let mut end = String::new();
        file.read_to_string(&mut end).unwrap();
        assert_eq!(end, "end");
        fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 1 << 40, 6 << 40).unwrap();
        let data = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(4096)).unwrap();
        assert!(data >= SIZE - 8192, "{data}");
    }
    mount.end();
}

#[test]
fn a_large_directory_is_listed_whole_and_emptied_while_it_is_listed() {
    if skipped() {
        return;
    }
    let count = sized(3_000, 1_000_000);
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir_all(origin.join("large")).unwrap();
    for number in 0..count {
        File::create(origin.join(format!("large/old-{number}"))).unwrap();
    }
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let large = mount.root().join("large");
    for number in 0..count {
        File::create(large.join(format!("new-{number}"))).unwrap();
    }
    let names = || {
        let mut names = HashSet::new();
        for entry in fs::read_dir(&large).unwrap() {
            assert!(names.insert(entry.unwrap().file_name()), "a name is listed twice");
        }
        names
    };
    assert_eq!(names().len(), 2 * count);
    for entry in fs::read_dir(&large).unwrap() {
        let path = entry.unwrap().path();
        if path.as_os_str().len() % 2 == 0 {
            fs::remove_file(path).unwrap();
        }
    }
    let left = names();
    assert!(
        !left.is_empty()
            && left.len() < 2 * count
            && left.iter().all(|name| name.len() % 2 == left.iter().next().unwrap().len() % 2)
    );
    fs::remove_dir_all(&large).unwrap();
    mount.end();
}

#[test]
fn many_open_files_cost_the_mount_process_no_descriptors() {
    if skipped() {
        return;
    }
    let count = sized(3_000, 100_000);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = count as u64 + 5_000;
    if current.is_some_and(|current| current < wanted) {
        let maximum = maximum.map(|maximum| maximum.max(wanted));
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    for number in 0..100 {
        fs::write(origin.join(format!("{number}")), format!("old {number}")).unwrap();
    }
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let pid = workspace.mount_process();
    let before = descriptors_of(pid);
    let mut files = Vec::new();
    for number in 0..count {
        let path = mount.root().join(format!("new-{number}"));
        let mut file = OpenOptions::new().create_new(true).read(true).write(true).open(&path).unwrap();
        write!(file, "content {number}").unwrap();
        // Half of them are kept by their descriptors alone.
        if number % 2 == 0 {
            fs::remove_file(&path).unwrap();
        }
        files.push(file);
    }
    let old: Vec<File> = (0..100).map(|number| File::open(mount.root().join(format!("{number}"))).unwrap()).collect();
    assert!(descriptors_of(pid) < before + 100, "{} descriptors", descriptors_of(pid));
    for (number, file) in files.iter().enumerate() {
        let want = format!("content {number}");
        let mut got = vec![0; want.len()];
        file.read_exact_at(&mut got, 0).unwrap();
        assert_eq!(got, want.as_bytes());
    }
    drop((files, old));
    mount.end();
}

/// The most bytes of memory for an inode of the source that the kernel knows, caches apart.
const BYTES_OF_A_KNOWN_INODE: u64 = 256;

/// The same for one that the session made: its attributes, its name twice, and where its data is.
const BYTES_OF_A_NEW_INODE: u64 = 400;

/// Shown with `--nocapture`.
#[allow(clippy::disallowed_macros)]
fn report(what: &str, value: u64) {
    println!("{what}: {value}");
}

#[test]
fn memory_is_bounded_by_what_the_kernel_knows() {
    if skipped() {
        return;
    }
    let (dirs, files) = (sized(20, 1_000), 1_000);
    let count = (dirs * files) as u64;
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    let fill = |top: &Path| {
        for dir in 0..dirs {
            let dir = top.join(format!("dir-{dir}"));
            fs::create_dir_all(&dir).unwrap();
            for file in 0..files {
                File::create(dir.join(format!("some-file-{file}"))).unwrap();
            }
        }
    };
    fill(&origin);
    workspace.session_on(&origin);
    let point = workspace.path("mount");
    fs::create_dir(&point).unwrap();
    let args = ["session", "mount", "session", point.to_str().unwrap()].map(std::ffi::OsStr::new);
    let mut command = workspace.command(&args);
    // Small caches, so that what is not a cache shows.
    assert!(command.env("AETHER_CACHE_MEMORY_MIB", "2").status().unwrap().success());
    let pid = workspace.mount_process();
    let walk = || {
        let dirs = fs::read_dir(&point).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let each = |dir: PathBuf| fs::read_dir(dir).unwrap().filter(|entry| entry.as_ref().unwrap().metadata().is_ok());
        dirs.map(|dir| each(dir).count() as u64).sum::<u64>()
    };
    let slack = 4 << 20;
    let idle = memory_of(pid);
    assert_eq!(walk(), count);
    let known = memory_of(pid) - idle;
    report("bytes for an inode of the source", known / count);
    assert!(known < slack + count * BYTES_OF_A_KNOWN_INODE, "{} bytes for an inode of the source", known / count);
    fill(&point.join("new"));
    let made = memory_of(pid) - idle - known;
    report("bytes for a new inode", made / count);
    assert!(made < slack + count * BYTES_OF_A_NEW_INODE, "{} bytes for a new inode", made / count);
    workspace.aether(&["session", "unmount", "session"]);
}
