//! Forks and checkpoints of mounted sessions, while programs write in them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::fixture::skipped;
use crate::like_a_disk::read_tree;
use crate::workspace::Workspace;

const WRITERS: usize = 4;
/// Longer than a request of the kernel and than what the journal takes inline.
const BYTES: usize = 40_000;

/// One step of a writer: the number goes into three files, one after the other, in three ways to make it last.
fn step(root: &Path, writer: usize, number: u64) {
    let at = |name: &str| root.join(format!("{name}-{writer}"));
    let text = number.to_string();
    // By a rename…
    fs::write(at("new"), text.repeat(BYTES / text.len())).unwrap();
    fs::rename(at("new"), at("first")).unwrap();
    // …in place…
    let file = File::options().write(true).create(true).truncate(false).open(at("second")).unwrap();
    file.write_all_at(&number.to_le_bytes(), 0).unwrap();
    file.sync_data().unwrap();
    // …and at the end.
    let mut file = File::options().append(true).create(true).open(at("third")).unwrap();
    file.write_all(&number.to_le_bytes()).unwrap();
}

/// How far the writer was; fails if what there is was never there at one moment.
fn number(root: &Path, writer: usize) -> u64 {
    let at = |name: &str| root.join(format!("{name}-{writer}"));
    let third = fs::read(at("third")).unwrap();
    let numbers: Vec<u64> = third.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    let done = numbers.len() as u64;
    let second = u64::from_le_bytes(fs::read(at("second")).unwrap().try_into().unwrap());
    let text = fs::read_to_string(at("first")).unwrap();
    let is_of = |number: u64| text == number.to_string().repeat(BYTES / number.to_string().len());
    let first = [done, done + 1].into_iter().find(|number| is_of(*number));
    let first = first.unwrap_or_else(|| panic!("after {done} there is {:?}…", &text[..text.len().min(40)]));
    assert!((done..=first).contains(&second), "first {first}, second {second}, third {done}");
    done
}

#[test]
fn a_fork_of_a_busy_session_has_one_moment_of_it_and_all_that_was_done_before() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    (0..WRITERS).for_each(|writer| step(mount.root(), writer, 1));
    let done: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(1)).collect();
    let ended = AtomicBool::new(false);
    let mut forks = Vec::new();
    std::thread::scope(|scope| {
        for (writer, done) in done.iter().enumerate() {
            let (root, ended) = (mount.root(), &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let next = done.load(Ordering::Relaxed) + 1;
                    step(root, writer, next);
                    done.store(next, Ordering::Release);
                }
            });
        }
        for round in 0..12 {
            let before: Vec<u64> = done.iter().map(|done| done.load(Ordering::Acquire)).collect();
            let name = format!("fork-{round}");
            match round % 3 {
                0 => drop(workspace.aether(&["checkpoint", "create", "session", "--name", &name])),
                _ => drop(workspace.aether(&["session", "fork", "session", &name])),
            }
            forks.push((name, before));
            std::thread::sleep(Duration::from_millis(30));
        }
        ended.store(true, Ordering::Relaxed);
    });
    for (round, (name, before)) in forks.iter().enumerate() {
        if round % 3 == 0 {
            workspace.aether(&["fork", "session", name, "--from", name]);
        }
        let point = workspace.path(name);
        workspace.aether(&["mount", name, point.to_str().unwrap()]);
        for (writer, before) in before.iter().enumerate() {
            let found = number(&point, writer);
            assert!(found >= *before, "{name}: writer {writer} had done {before}, and {found} are there");
            // The fork goes on from there by itself.
            step(&point, writer, found + 1);
            assert_eq!(number(&point, writer), found + 1);
        }
        workspace.aether(&["unmount", name]);
    }
    (0..WRITERS).for_each(|writer| assert_eq!(number(mount.root(), writer), done[writer].load(Ordering::Relaxed)));
    mount.end();
}

/// What `stat` says of every file, but for access times.
fn stats(root: &Path) -> Vec<(Vec<u8>, [i64; 9])> {
    let stat = |path: &Vec<u8>| {
        let meta = fs::symlink_metadata(root.join(std::str::from_utf8(path).unwrap())).unwrap();
        [
            meta.ino() as i64,
            meta.mode().into(),
            meta.nlink() as i64,
            meta.uid().into(),
            meta.size() as i64,
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        ]
    };
    read_tree(root).into_keys().map(|path| (path.clone(), stat(&path))).collect()
}

fn sh(dir: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).current_dir(dir).env("HOME", dir).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_fork_is_warm_and_a_folded_session_is_as_it_was() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("Makefile"), "all: $(patsubst %.in,%.out,$(wildcard *.in))\n%.out: %.in\n\tcp $< $@\n")
        .unwrap();
    sh(&origin, "for i in 1 2 3; do echo $i >$i.in; done; ln 1.in linked; echo '*.out' >.gitignore");
    sh(&origin, "git init -q; git add .; git -c user.name=t -c user.email=t@example.org commit -qm first");
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let build = "make -s; ln 2.out other; ln -s 3.out sym; echo more >>1.in; make -s; git status --porcelain";
    assert_eq!(sh(mount.root(), build), " M 1.in\n M linked\n?? other\n?? sym\n");
    let before = stats(mount.root());
    let point = workspace.path("fork");
    workspace.aether(&["fork", "session", "fork", "--tag", "round=2", "--mount", point.to_str().unwrap()]);
    assert_eq!(stats(&point), before);
    sh(&point, "make -q");
    // `diff-files` names every file that git would have to read.
    assert_eq!(sh(&point, "git diff-files --name-only"), "1.in\nlinked\n");
    // New inode numbers of both are above all old ones, and what one does the other does not see.
    fs::write(point.join("only-here"), "x").unwrap();
    let highest = before.iter().map(|(_, stat)| stat[0]).max().unwrap();
    assert!(fs::metadata(point.join("only-here")).unwrap().ino() as i64 > highest);
    assert!(!mount.root().join("only-here").exists());
    // It was sealed while it was mounted: from now on it stands on what was sealed.
    fs::write(mount.root().join("after"), "x").unwrap();
    let before = stats(mount.root());
    mount.end();
    let mount = workspace.mount();
    assert_eq!(stats(mount.root()), before);
    sh(mount.root(), "make -q");
    mount.end();
    workspace.aether(&["unmount", "fork"]);
}

#[test]
fn a_fork_of_a_session_without_changes_writes_little_and_stores_nothing() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    for dir in 0..50 {
        fs::create_dir_all(origin.join(format!("{dir}"))).unwrap();
        (0..40).for_each(|file| fs::write(origin.join(format!("{dir}/{file}")), format!("{dir} {file}")).unwrap());
    }
    workspace.session_on(&origin);
    let data = origin.parent().unwrap().parent().unwrap().join("data");
    let size = |dir: &Path| -> u64 { sh(dir, "du -s --block-size=1 . | cut -f1").trim().parse().unwrap() };
    let packs = size(&data.join("objects/packs"));
    // Several, because the disk counts in blocks.
    let (before, started) = (size(&data), Instant::now());
    for _ in 0..4 {
        workspace.aether(&["fork", "session"]);
    }
    let (took, grown) = (started.elapsed() / 4, (size(&data) - before) / 4);
    assert!(grown < 64 << 10, "a fork, in {took:?}, wrote {grown} bytes");
    assert_eq!(size(&data.join("objects/packs")), packs);
    let mount = workspace.mount();
    fs::write(mount.root().join("new"), "x").unwrap();
    workspace.aether(&["fork", "session", "busy"]);
    mount.end();
}

/// How long each of many small writes took, at most, until `ended`.
fn longest_write(path: &Path, ended: &AtomicBool) -> Duration {
    let file = File::create(path).unwrap();
    let mut longest = Duration::ZERO;
    for round in 0u64.. {
        let started = Instant::now();
        file.write_all_at(&[round as u8; 4096], (round % 64) * 4096).unwrap();
        longest = longest.max(started.elapsed());
        if ended.load(Ordering::Relaxed) {
            break;
        }
    }
    longest
}

/// Prints how long a program that writes has to wait while its session is stored. What is allowed is said by
/// `AETHER_TEST_PAUSE_MS`, for a machine that has nothing else to do.
#[test]
#[allow(clippy::disallowed_macros)]
fn a_program_goes_on_writing_while_its_session_is_stored_and_forked() {
    if skipped() {
        return;
    }
    #[allow(clippy::disallowed_methods)]
    let allowed_ms = std::env::var("AETHER_TEST_PAUSE_MS").map_or(2_000, |text| text.parse::<u64>().unwrap());
    let space = Workspace::new();
    let origin = space.path("origin");
    fs::create_dir(&origin).unwrap();
    for number in 0..500 {
        fs::write(origin.join(format!("f{number}")), number.to_string().repeat(100)).unwrap();
    }
    space.session_on(&origin);
    let mount = space.mount();
    let during = |work: &dyn Fn()| {
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| longest_write(&mount.root().join("written"), &ended));
            work();
            ended.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        })
    };
    let alone = during(&|| std::thread::sleep(Duration::from_secs(1)));
    let change = |round: u32| {
        for number in 0..50 {
            fs::write(mount.root().join(format!("f{number}")), format!("{round} {number}")).unwrap();
        }
    };
    let stored = during(&|| {
        for round in 0..5 {
            change(round);
            space.aether(&["checkpoint", "create", "session"]);
        }
    });
    let forked = during(&|| {
        for round in 0..5 {
            change(100 + round);
            space.aether(&["session", "fork", "session"]);
        }
    });
    println!("the longest write took {alone:.2?} alone, {stored:.2?} during checkpoints, {forked:.2?} during forks");
    let allowed = Duration::from_millis(allowed_ms).max(3 * alone);
    assert!(stored < allowed && forked < allowed, "{alone:?} {stored:?} {forked:?}");
    mount.end();
}

/// A large file of which a part changes is stored again at the price of that part. `AETHER_TEST_LARGE_MIB` and
/// `AETHER_TEST_CHECKPOINTS` ask for more than a small file and some checkpoints.
#[test]
#[allow(clippy::disallowed_macros)]
fn checkpoints_of_a_large_file_store_little_more_than_what_changed() {
    if skipped() {
        return;
    }
    #[allow(clippy::disallowed_methods)]
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (mib, checkpoints) = (number("AETHER_TEST_LARGE_MIB", 96), number("AETHER_TEST_CHECKPOINTS", 4));
    // One per cent, but so much that whole chunks at its ends do not count for more.
    let changed = (mib << 20).div_euclid(100).max(8 << 20);
    let space = Workspace::new();
    let origin = space.path("origin");
    fs::create_dir(&origin).unwrap();
    let mut rng = crate::generated::rng::Rng::new(3);
    let file = File::create(origin.join("large")).unwrap();
    for at in 0..mib {
        file.write_all_at(&rng.bytes(1 << 20), at << 20).unwrap();
    }
    space.session_on(&origin);
    let mount = space.mount();
    let packs = space.path("").parent().unwrap().join("data/objects/packs");
    let stored = || -> u64 { fs::read_dir(&packs).unwrap().map(|name| name.unwrap().metadata().unwrap().len()).sum() };
    let (before, mut took) = (stored(), Duration::ZERO);
    let file = File::options().write(true).open(mount.root().join("large")).unwrap();
    for _ in 0..checkpoints {
        let at = rng.below((mib << 20) - changed);
        for piece in 0..changed >> 20 {
            file.write_all_at(&rng.bytes(1 << 20), at + (piece << 20)).unwrap();
        }
        let started = Instant::now();
        space.aether(&["checkpoint", "create", "session"]);
        took += started.elapsed();
    }
    let wrote = checkpoints * (changed >> 20 << 20);
    let grown = stored() - before;
    let ratio = grown as f64 / wrote as f64;
    println!(
        "{checkpoints} checkpoints with {wrote} bytes changed stored {grown}, {ratio:.3} times that, in {took:.2?}"
    );
    assert!(ratio < 1.2, "{ratio}");
    drop(file);
    mount.end();
}
