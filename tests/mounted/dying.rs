//! The server is killed while programs use the mount in the ways that depend most on the kernel's memory: mappings, and
//! following a file. And all processes of a mount are killed at once.

use std::ffi::c_void;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use aether::daemon::MountRecord;
use aether::fuse::MountTable;
use rustix::process::Signal;

use crate::fixture::skipped;
use crate::takeover::{eventually, kill_server, processes_of, record, run_dir, watcher_of};
use crate::workspace::Workspace;

const PAGE: usize = 4096;
const PAGES: usize = 300;

const PROT_READ_WRITE: i32 = 3;
const MAP_SHARED: i32 = 1;
const MAP_PRIVATE: i32 = 2;
const MS_SYNC: i32 = 4;

// Of the C library, which every program has anyway.
unsafe extern "C" {
    fn mmap(at: *mut c_void, len: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut c_void;
    fn msync(at: *mut c_void, len: usize, flags: i32) -> i32;
    fn munmap(at: *mut c_void, len: usize) -> i32;
}

/// A whole file in memory.
struct Map(*mut c_void, usize);

impl Map {
    fn new(file: &File, flags: i32) -> Self {
        let len = file.metadata().unwrap().len() as usize;
        // SAFETY: a new mapping of the whole file.
        let at = unsafe { mmap(std::ptr::null_mut(), len, PROT_READ_WRITE, flags, file.as_raw_fd(), 0) };
        assert!(at as isize != -1, "{}", std::io::Error::last_os_error());
        Self(at, len)
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is of so many bytes, nobody cuts the file, and it lives as long as this.
        unsafe { std::slice::from_raw_parts_mut(self.0.cast(), self.1) }
    }

    fn sync(&self) {
        // SAFETY: the mapping's own range.
        assert_eq!(unsafe { msync(self.0, self.1, MS_SYNC) }, 0, "{}", std::io::Error::last_os_error());
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference to it any more.
        let _gone = unsafe { munmap(self.0, self.1) };
    }
}

/// Kills a server that has served for a while: those that die at once are not followed by others for ever.
fn kill_later(workspace: &Workspace) {
    thread::sleep(Duration::from_millis(300));
    kill_server(workspace);
}

fn page(number: usize, generation: u8) -> [u8; PAGE] {
    std::array::from_fn(|at| (number as u8).wrapping_mul(31) ^ (at as u8) ^ generation)
}

fn fill(path: &std::path::Path) {
    let mut file = File::create(path).unwrap();
    (0..PAGES).for_each(|number| file.write_all(&page(number, 0)).unwrap());
}

/// Kills the process that serves a mount and its keeper, neither of which then has the time to start the other anew.
fn kill_at_once(mount: &MountRecord) {
    mount.process.signal(Signal::STOP).unwrap();
    for process in [mount.keeper.as_ref().unwrap(), &mount.process] {
        process.signal(Signal::KILL).unwrap();
    }
}

#[test]
fn mappings_keep_their_dirty_pages_and_see_the_files_while_servers_die() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    fill(&origin.join("old"));
    workspace.session_on(&origin);
    let mount = workspace.mount();
    fill(&mount.root().join("new"));
    for name in ["old", "new"] {
        let path = mount.root().join(name);
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let (mut shared, mut private) = (Map::new(&file, MAP_SHARED), Map::new(&file, MAP_PRIVATE));
        // Some pages of the private one are its own before and some after; the others are the file's.
        for number in (0..PAGES).step_by(10) {
            private.bytes()[number * PAGE..][..PAGE].copy_from_slice(&page(number, 9));
        }
        for generation in 1..=4u8 {
            // Dirty in the kernel only when the server dies.
            for number in (usize::from(generation)..PAGES).step_by(5) {
                shared.bytes()[number * PAGE..][..PAGE].copy_from_slice(&page(number, generation));
            }
            kill_later(&workspace);
            if generation % 2 == 0 {
                shared.sync();
                kill_later(&workspace);
            }
        }
        // What no page was read of yet has to come from the new server.
        for number in 0..PAGES {
            let generation = if number < 1 { 0 } else { (number % 5) as u8 };
            let want = page(number, generation);
            assert!(shared.bytes()[number * PAGE..][..PAGE] == want, "{name}: page {number} of the shared one");
            let own = number % 10 == 0;
            let want = if own { page(number, 9) } else { want };
            assert!(private.bytes()[number * PAGE..][..PAGE] == want, "{name}: page {number} of the private one");
        }
        shared.sync();
        drop((shared, private));
        kill_later(&workspace);
        let mut found = [0; PAGE];
        for number in 0..PAGES {
            file.read_exact_at(&mut found, (number * PAGE) as u64).unwrap();
            assert!(found == page(number, (number % 5) as u8), "{name}: page {number}");
        }
    }
    mount.end();
    // Not only in the kernel's memory.
    let mount = workspace.mount();
    for name in ["old", "new"] {
        let bytes = fs::read(mount.root().join(name)).unwrap();
        for (number, found) in bytes.chunks(PAGE).enumerate() {
            assert!(*found == page(number, (number % 5) as u8), "{name}: page {number} after all");
        }
    }
    mount.end();
}

#[test]
fn who_follows_a_file_gets_every_line_once_while_servers_die() {
    if skipped() {
        return;
    }
    const LINES: usize = 200;
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("log"), "line 0\n").unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let log = mount.root().join("log");
    let mut tail = Command::new("tail");
    tail.args(["-n", "+1", "-f", "-s", "0.02"]).arg(&log).stdout(Stdio::piped()).stdin(Stdio::null());
    let mut tail = tail.spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let reader = thread::spawn(move || lines.take(LINES).map(Result::unwrap).collect::<Vec<_>>());
    let mut file = File::options().append(true).open(&log).unwrap();
    for number in 1..LINES {
        writeln!(file, "line {number}").unwrap();
        if number % 50 == 0 {
            kill_later(&workspace);
        }
        thread::sleep(Duration::from_millis(3));
    }
    let found = reader.join().unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(found, (0..LINES).map(|number| format!("line {number}")).collect::<Vec<_>>());
    drop(file);
    mount.end();
}

#[test]
fn when_server_and_keeper_are_killed_at_once_the_mount_is_gone_within_two_seconds() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    // Whoever served in between: the first server, one that took over, one whose keeper is another.
    for round in 0..3 {
        let mount = workspace.mount();
        fs::write(mount.root().join("a"), format!("{round}")).unwrap();
        if round > 0 {
            kill_server(&workspace);
        }
        if round > 1 {
            let before = record(&workspace).keeper.unwrap();
            before.signal(Signal::KILL).unwrap();
            eventually("another keeper", Duration::from_secs(5), || {
                record(&workspace).keeper.is_some_and(|keeper| keeper != before)
            });
        }
        kill_at_once(&record(&workspace));
        let is_there = || MountTable::read().unwrap().at(mount.root()).is_some();
        eventually("the mount is gone", Duration::from_secs(2), || !is_there());
        eventually("its record is gone", Duration::from_secs(2), || {
            aether::daemon::mounts(&run_dir(&workspace)).unwrap().is_empty()
        });
        // And nothing was lost.
        let mount = workspace.mount();
        assert_eq!(fs::read_to_string(mount.root().join("a")).unwrap(), format!("{round}"));
        mount.end();
    }
}

#[test]
fn the_watcher_ends_with_an_orderly_unmount() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let served = record(&workspace);
    watcher_of(&served);
    let mut names: Vec<String> = processes_of(&served).into_iter().map(|(_, name)| name).collect();
    names.sort();
    assert_eq!(names, ["aether", "aether-keeper", "aether-watcher"]);
    let all: Vec<i32> = processes_of(&served).into_iter().map(|(pid, _)| pid).collect();
    mount.end();
    let is_left =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("aether"));
    eventually("all have ended", Duration::from_secs(5), || !all.iter().any(is_left));
}

#[test]
fn a_mount_whose_parent_was_renamed_is_found_and_taken_away() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    let (before, after) = (workspace.path("before"), workspace.path("after"));
    let mount_there = || {
        let at = before.join("m");
        fs::create_dir_all(&at).unwrap();
        let run = workspace.aether(&["session", "mount", "session", at.to_str().unwrap()]);
        assert!(run.status.success(), "{run:?}");
        fs::rename(&before, &after).unwrap();
    };
    let is_there = || MountTable::read().unwrap().at(&after.join("m")).is_some();

    mount_there();
    fs::write(after.join("m/new"), "kept").unwrap();
    let listed = workspace.aether(&["session", "list", "--json"]).stdout;
    assert!(String::from_utf8_lossy(&listed).contains("after/m"), "{}", String::from_utf8_lossy(&listed));
    let run = workspace.aether(&["session", "unmount", "session"]);
    assert!(run.status.success() && String::from_utf8_lossy(&run.stdout).contains("after/m"), "{run:?}");
    assert!(!is_there());
    fs::remove_dir_all(&after).unwrap();

    mount_there();
    assert_eq!(fs::read_to_string(after.join("m/new")).unwrap(), "kept");
    let dead = record(&workspace);
    watcher_of(&dead);
    kill_at_once(&dead);
    eventually("the mount is gone", Duration::from_secs(2), || !is_there());
}

#[test]
fn who_serves_a_mount_is_shown() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let served = record(&workspace);
    let keeper = served.keeper.as_ref().unwrap();
    let shown = workspace.aether(&["session", "show", "session", "--json"]).stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    let serving = &shown["serving"][0];
    assert_eq!((&serving["state"], &serving["pid"]), (&"live".into(), &served.process.pid.into()), "{shown}");
    assert_eq!(serving["keeper"], keeper.pid, "{shown}");
    let text = String::from_utf8(workspace.aether(&["session", "show", "session"]).stdout).unwrap();
    assert!(text.contains(&format!("process {}, kept by process {}", served.process.pid, keeper.pid)), "{text}");
    mount.end();
    let text = String::from_utf8(workspace.aether(&["session", "show", "session"]).stdout).unwrap();
    assert!(!text.contains("served by"), "{text}");
}
