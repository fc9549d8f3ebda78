//! Calls that promise durability reach the disk, in the right order, through a real mount.

use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::ReadWriteFlags;

use super::order::Undurable;
use super::trace::{Trace, traced};
use crate::cli::{World, end};

/// A mount whose process is traced from its first call on.
struct Mounted {
    world: World,
    strace: Child,
    at: PathBuf,
    trace: Trace,
    log: PathBuf,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.world.run(["session", "unmount", "--all", "--lazy"]);
        let _ended = self.strace.wait();
    }
}

impl Mounted {
    fn new() -> Option<Self> {
        if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
            return None;
        }
        let world = World::new();
        let mut trace = Trace::new(&world.data());
        let (log, at) = (world.path("strace.log"), world.path("mnt"));
        fs::create_dir_all(world.path("src/dir")).unwrap();
        fs::write(world.path("src/dir/base"), "of the source\n".repeat(1000)).unwrap();
        fs::create_dir(&at).unwrap();
        for line in ["source create web src", "session create one --source web"] {
            let ended = end(&mut traced(&world.aether(line.split(' ')), &log, false));
            assert_eq!(ended.code, 0, "{ended:?}");
            trace.another();
            trace.read(&log);
        }
        trace.another();
        let command = world.aether(["session", "mount", "one", "mnt", "--foreground"]);
        let mut command = traced(&command, &log, false);
        let strace = command.stdout(Stdio::null()).spawn().unwrap();
        let mounted = Self { world, strace, at, trace, log };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !mounted.at.join("dir").exists() {
            assert!(Instant::now() < deadline, "it was not mounted");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(mounted)
    }

    /// What is not durable now.
    fn undurable(&mut self) -> Undurable {
        self.trace.read(&self.log);
        Undurable::after(self.trace.events())
    }

    /// `change` changes something and does not wait for the disk; after `promise` all of it must be durable.
    fn promised<T>(&mut self, say: &str, change: impl FnOnce(&Path) -> T, promise: impl FnOnce(T)) {
        let at = self.at.clone();
        let changed = change(&at);
        let before = self.trace.events().len();
        promise(changed);
        self.undurable().expect_nothing(say);
        assert!(self.trace.events().len() > before, "{say} left no trace");
    }
}

fn made(path: PathBuf, bytes: usize) -> File {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all(&vec![7; bytes]).unwrap();
    file
}

fn with_flags(path: PathBuf, flags: rustix::fs::OFlags) -> File {
    OpenOptions::new().write(true).create(true).truncate(false).custom_flags(flags.bits() as i32).open(path).unwrap()
}

#[test]
fn every_call_that_promises_durability_reaches_the_disk_in_order() {
    use rustix::fs::OFlags;
    let Some(mut mounted) = Mounted::new() else { return };
    mounted.promised("fsync", |at| made(at.join("new"), 10_000), |file| file.sync_all().unwrap());
    mounted.promised("fdatasync", |at| made(at.join("dir/base"), 100_000), |file| file.sync_data().unwrap());
    let rename = |at: &Path| {
        fs::create_dir(at.join("sub")).unwrap();
        fs::rename(at.join("new"), at.join("sub/new")).unwrap();
        File::open(at.join("sub")).unwrap()
    };
    mounted.promised("fsync of a directory", rename, |dir| dir.sync_all().unwrap());
    for (say, flags) in [
        ("O_SYNC", OFlags::SYNC),
        ("O_DSYNC", OFlags::DSYNC),
        ("O_DIRECT and O_SYNC", OFlags::DIRECT | OFlags::SYNC),
        ("O_DIRECT and O_DSYNC", OFlags::DIRECT | OFlags::DSYNC),
    ] {
        let open = |at: &Path| with_flags(at.join("sub/new"), flags);
        // Direct I/O wants memory on the boundary of a page.
        let memory = vec![b'x'; 3 * 4096];
        let skip = memory.as_ptr().align_offset(4096);
        mounted.promised(say, open, |file| file.write_all_at(&memory[skip..skip + 8192], 4096).unwrap());
    }
    for (say, flags) in [("RWF_DSYNC", ReadWriteFlags::DSYNC), ("RWF_SYNC", ReadWriteFlags::SYNC)] {
        let open = |at: &Path| made(at.join("vector"), 1);
        mounted.promised(say, open, |file| {
            rustix::io::pwritev2(&file, &[IoSlice::new(&[1; 5000])], 0, flags).unwrap();
        });
    }
    let map = |at: &Path| {
        made(at.join("mapped"), 8192).sync_all().unwrap();
        at.join("mapped")
    };
    mounted.promised("msync", map, |path| map_and_sync(&path));
}

/// Changes a byte through a shared mapping and syncs that.
fn map_and_sync(path: &Path) {
    let script = "import mmap, sys
file = open(sys.argv[1], 'r+b')
memory = mmap.mmap(file.fileno(), 8192)
memory[5000] = 9
memory.flush()";
    let status = Command::new("python3").args(["-c", script]).arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn what_nobody_asked_for_is_durable_within_five_seconds() {
    let Some(mut mounted) = Mounted::new() else { return };
    fs::write(mounted.at.join("file"), vec![1; 100_000]).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    mounted.undurable().expect_nothing("five seconds later");
}

#[test]
fn an_unmounted_session_is_durable() {
    let Some(mut mounted) = Mounted::new() else { return };
    fs::write(mounted.at.join("file"), vec![1; 100_000]).unwrap();
    mounted.world.ok(["session", "unmount", "one"]);
    let ended = mounted.strace.wait().unwrap();
    assert!(ended.success(), "{ended}");
    mounted.undurable().expect_nothing("unmounted");
}
