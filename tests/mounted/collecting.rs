//! A collection while a session is mounted, read and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::fixture::skipped;
use crate::workspace::Workspace;

fn bytes_of(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = crate::generated::rng::Rng::new(seed);
    rng.bytes(len)
}

fn len_of(file: u64) -> usize {
    10_000 + (file as usize * 7_919) % 300_000
}

/// Takes the mount out of the kernel's cache, so that the next read comes to the mount process.
fn forget(path: &Path) {
    let file = fs::File::open(path).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[test]
fn a_mounted_session_is_read_and_written_while_its_packs_are_moved() {
    if skipped() {
        return;
    }
    let space = Workspace::new();
    let origin = space.path("origin");
    fs::create_dir(&origin).unwrap();
    // The files of the session's base, in one pack with many more that will be dead.
    for file in 0..60 {
        fs::write(origin.join(format!("f{file}")), bytes_of(file, len_of(file))).unwrap();
    }
    space.aether(&["source", "create", "whole", origin.to_str().unwrap()]);
    for file in 10..60 {
        fs::remove_file(origin.join(format!("f{file}"))).unwrap();
    }
    space.aether(&["source", "create", "base", origin.to_str().unwrap()]);
    space.aether(&["session", "create", "session", "--source", "base"]);
    let mount = space.path("mount");
    space.aether(&["mount", "session", mount.to_str().unwrap()]);
    fs::read(mount.join("f0")).unwrap();
    space.aether(&["source", "delete", "whole", "--force"]);
    let packs = space.path("").parent().unwrap().join("data/objects/packs");
    let size = || -> u64 {
        let names = fs::read_dir(&packs).unwrap();
        names.filter_map(|name| name.unwrap().metadata().ok()).map(|found| found.len()).sum()
    };
    let before = size();
    let (ended, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for file in 0..10 {
                    let path: PathBuf = mount.join(format!("f{file}"));
                    forget(&path);
                    assert!(fs::read(&path).unwrap() == bytes_of(file, len_of(file)), "f{file}");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            for round in 0.. {
                fs::write(mount.join("written"), bytes_of(round, 50_000)).unwrap();
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for round in 0..4 {
            fs::write(origin.join("new"), bytes_of(1000 + round, 500_000)).unwrap();
            space.aether(&["source", "refresh", "base"]);
            space.aether(&["store", "gc", "--trash-days", "0"]);
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) >= 10);
    assert!(size() < before / 2, "{before} bytes became {}", size());
    // The mount process keeps nothing from being freed.
    let maps = fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter_map(|process| {
        let fds = fs::read_dir(process.path().join("fd")).ok()?;
        let held = fds.filter_map(Result::ok).filter_map(|fd| Some((fs::read_link(fd.path()).ok()?, fd.path())));
        let held =
            held.filter(|(target, _)| target.starts_with(&packs) && target.to_string_lossy().ends_with("(deleted)"));
        Some(held.filter_map(|(_, fd)| Some(fs::metadata(fd).ok()?.len())).sum::<u64>())
    });
    assert_eq!(maps.sum::<u64>(), 0);
    for file in 0..10 {
        forget(&mount.join(format!("f{file}")));
        assert!(fs::read(mount.join(format!("f{file}"))).unwrap() == bytes_of(file, len_of(file)));
    }
    space.aether(&["session", "unmount", "session"]);
}

/// Ends the threads of a test also when it fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_backup_of_a_session_that_is_written_has_one_moment_of_it() {
    if skipped() {
        return;
    }
    let space = Workspace::new();
    let origin = space.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("old"), "old").unwrap();
    space.session_on(&origin);
    let mount = space.mount();
    let ended = AtomicBool::new(false);
    let copy = space.path("copy");
    let backed_up = AtomicU64::new(0);
    thread::scope(|scope| {
        // Each file is there before the next one is begun.
        scope.spawn(|| {
            for number in 0u64.. {
                fs::write(mount.root().join(format!("n{number}")), number.to_string()).unwrap();
                backed_up.store(number + 1, Ordering::Release);
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let _ends = Ends(&ended);
        for _ in 0..3 {
            let before = backed_up.load(Ordering::Acquire);
            space.aether(&["store", "backup", copy.to_str().unwrap()]);
            let after = backed_up.load(Ordering::Acquire);
            let list = |args: &[&str]| {
                let args: Vec<&std::ffi::OsStr> = args.iter().map(AsRef::as_ref).collect();
                let output = space.command(&args).env("AETHER_HOME", &copy).output().unwrap();
                assert!(output.status.success(), "{output:?}");
                String::from_utf8(output.stdout).unwrap()
            };
            let sessions = list(&["session", "list", "--json"]);
            assert!(sessions.contains("\"mounts\":[]"), "no mount is of the backup: {sessions}");
            let names = list(&["ls", "session:", "-q"]);
            let mut numbers: Vec<u64> = names.lines().filter_map(|name| name.strip_prefix('n')?.parse().ok()).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "a prefix of what was written");
            // The last one may be there without its content.
            assert!((before..=after + 1).contains(&(numbers.len() as u64)), "{before} {} {after}", numbers.len());
            if let Some(number) = before.checked_sub(1) {
                assert_eq!(list(&["cat", &format!("session:n{number}")]), number.to_string());
            }
        }
    });
    mount.end();
}

#[test]
fn a_check_looks_into_what_a_mounted_session_has_written() {
    if skipped() {
        return;
    }
    let space = Workspace::new();
    let origin = space.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("old"), "old").unwrap();
    space.session_on(&origin);
    let mount = space.mount();
    fs::create_dir(mount.root().join("dir")).unwrap();
    let written = bytes_of(7, 300_000);
    fs::write(mount.root().join("dir/written"), &written).unwrap();
    fs::write(mount.root().join("whole"), bytes_of(8, 9_000)).unwrap();
    let verify = |args: &[&str]| {
        let args: Vec<&std::ffi::OsStr> = ["store", "verify", "--json"].iter().chain(args).map(AsRef::as_ref).collect();
        let output = space.command(&args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = verify(&["--read-data"]);
    assert!(code == Some(0) && said.contains("\"skipped_sessions\":[]"), "{said}");

    // One byte in the middle of what was written, in whichever file of the delta it lies.
    let sessions = space.path("").parent().unwrap().join("data/sessions");
    let session = fs::read_dir(sessions).unwrap().next().unwrap().unwrap().path();
    let mut is_harmed = false;
    for entry in fs::read_dir(session.join("delta")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(64).position(|window| window == &written[100_000..100_064]) {
            use std::os::unix::fs::FileExt;
            fs::File::options().write(true).open(&path).unwrap().write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
            is_harmed = true;
        }
    }
    assert!(is_harmed, "the bytes lie in the delta as they are");
    let (code, said) = verify(&["--read-data"]);
    assert!(code == Some(7) && said.contains("dir/written") && !said.contains("whole"), "{said}");
    mount.end();
    let (code, said) = verify(&["--read-data"]);
    assert!(code == Some(7) && said.contains("dir/written"), "and when nobody has it open: {said}");
}
