//! Files of the data directory that rotted, were cut off, went missing or got mixed up: what is read is right or an error,
//! every command ends, and says what is wrong rather than to panic.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cli::World;
use crate::generated::rng::Rng;
use crate::generated::shrink;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Bytes that do not compress, as many as the number says.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    Rng::new(seed).bytes(len)
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What a tree holds. What cannot be read is an I/O error, and is left out.
fn read_all(at: &Path, say: &str) -> Files {
    let mut files = Files::new();
    let mut dirs = vec![at.to_owned()];
    while let Some(dir) = dirs.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(5), "{say}: {error}");
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(5), "{say}: {error}");
                    break;
                }
            };
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            match fs::read(&path) {
                Ok(bytes) => drop(files.insert(path.strip_prefix(at).unwrap().to_owned(), bytes)),
                Err(error) => assert_eq!(error.raw_os_error(), Some(5), "{say}: {}: {error}", path.display()),
            }
        }
    }
    files
}

/// A data directory with a source and two sessions, and what is in them.
struct Sample {
    world: World,
    right: BTreeMap<&'static str, Files>,
}

impl Sample {
    fn new() -> Self {
        let world = World::new();
        for dir in ["src/a", "src/b/deep"] {
            fs::create_dir_all(world.path(dir)).unwrap();
        }
        for number in 0..12 {
            fs::write(world.path(&format!("src/a/{number}")), noise(number, 1 << number)).unwrap();
        }
        fs::write(world.path("src/b/deep/large"), noise(99, 700_000)).unwrap();
        world.ok(["source", "create", "web", "src"]);
        let mut right = BTreeMap::new();
        for session in ["one", "two"] {
            world.ok(["session", "create", session, "--source", "web"]);
            let at = PathBuf::from(world.ok(["session", "mount", session]).trim_end());
            for number in 0..12 {
                fs::write(at.join(format!("new-{number}")), noise(number + 50, 1 << number)).unwrap();
                if number % 4 == 0 {
                    fs::File::open(at.join(format!("new-{number}"))).unwrap().sync_all().unwrap();
                }
            }
            fs::File::options()
                .write(true)
                .open(at.join("b/deep/large"))
                .unwrap()
                .write_all_at(b"changed", 300_000)
                .unwrap();
            fs::write(at.join("new-large"), noise(77, 200_000)).unwrap();
            fs::rename(at.join("a/3"), at.join("b/three")).unwrap();
            fs::remove_file(at.join("a/5")).unwrap();
            right.insert(session, read_all(&at, "as written"));
            world.ok(["session", "unmount", session]);
        }
        Self { world, right }
    }

    fn copy(&self) -> World {
        let world = World::new();
        let status = std::process::Command::new("cp").arg("-a").arg(self.world.data()).arg(world.data()).status();
        assert!(status.unwrap().success());
        world
    }

    /// Uses everything; returns how many files could be read of each session, and the exit codes.
    fn use_all(&self, world: &World, say: &str) -> (BTreeMap<&'static str, usize>, Vec<i32>) {
        let mut codes = Vec::new();
        let mut run = |args: &[&str]| {
            let (code, out) = run(world, args, say);
            codes.push(code);
            (code, out)
        };
        run(&["source", "list"]);
        run(&["session", "list"]);
        run(&["status", "one"]);
        for session in self.right.keys() {
            run(&["diff", session, "--all"]);
        }
        let mut read = BTreeMap::new();
        for (session, right) in &self.right {
            let (code, out) = run(&["session", "mount", session]);
            if code != 0 {
                continue;
            }
            let at = PathBuf::from(out.trim_end());
            let found = read_all(&at, say);
            for (path, bytes) in &found {
                assert!(right.get(path) == Some(bytes), "{say}: {session}: wrong bytes in {}", path.display());
            }
            read.insert(*session, found.len());
            run(&["session", "unmount", session]);
        }
        (read, codes)
    }
}

/// Runs a command, which must end soon, and not by a bug.
fn run(world: &World, args: &[&str], say: &str) -> (i32, String) {
    let mut command = world.aether(args);
    // Into files: a pipe that nobody empties would hold up a command that prints much.
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(Stdio::from(out.try_clone().unwrap())).stderr(Stdio::from(err.try_clone().unwrap()));
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{say}: {args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let text = |file: &mut fs::File| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (out, err) = (text(&mut out), text(&mut err));
    assert!([0, 1, 3, 7].contains(&code), "{say}: {args:?}: {code}: {err}");
    assert!(code == 0 || err.starts_with("error: "), "{say}: {args:?}: {code}: {err}");
    assert!(!err.contains("panicked"), "{say}: {args:?}: {err}");
    (code, out)
}

/// A way to damage a file. Returns what it did.
fn harm(path: &Path, others: &[PathBuf], kind: u64, rng: &mut Rng) -> String {
    let len = fs::metadata(path).unwrap().len();
    let open = || fs::File::options().read(true).write(true).open(path).unwrap();
    match kind {
        0..=3 if len > 0 => {
            // At the front, at the end, anywhere.
            let at = [rng.below(len.min(64)), len - 1 - rng.below(len.min(64)), rng.below(len), rng.below(len)];
            let at = at[kind as usize];
            let mut byte = [0];
            open().read_exact_at(&mut byte, at).unwrap();
            byte[0] ^= 1 << rng.below(8);
            open().write_all_at(&byte, at).unwrap();
            format!("a flipped bit at {at} of {len}")
        }
        4 => {
            let to = rng.below(len.max(1));
            open().set_len(to).unwrap();
            format!("cut from {len} to {to}")
        }
        5 => {
            open().set_len(0).unwrap();
            "empty".into()
        }
        6 => {
            fs::remove_file(path).unwrap();
            "missing".into()
        }
        7 => {
            let mut file = fs::File::options().append(true).open(path).unwrap();
            file.write_all(&rng.bytes(5000)).unwrap();
            "garbage behind it".into()
        }
        8 => {
            let bytes = rng.bytes(len as usize);
            fs::write(path, bytes).unwrap();
            "garbage".into()
        }
        _ => {
            let other = rng.pick(others);
            fs::copy(other, path).unwrap();
            format!("in its place {}", other.display())
        }
    }
}

const KINDS: u64 = 10;

#[test]
fn damage_anywhere_gives_an_error_that_says_so_and_never_wrong_bytes() {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
        return;
    }
    let sample = Sample::new();
    let all = files_below(&sample.world.data());
    let names: Vec<&Path> = all.iter().map(|path| path.strip_prefix(sample.world.data()).unwrap()).collect();
    let counts: BTreeMap<_, _> = sample.right.iter().map(|(name, files)| (*name, files.len())).collect();
    let (read, codes) = sample.use_all(&sample.copy(), "undamaged");
    assert!(read == counts && codes.iter().all(|code| *code == 0), "{read:?} {codes:?}");
    for seed in shrink::seeds(21, 1) {
        let mut rng = Rng::new(seed);
        for name in &names {
            for _ in 0..2 {
                let world = sample.copy();
                let others: Vec<PathBuf> = files_below(&world.data());
                let kind = rng.below(KINDS);
                let what = harm(&world.data().join(name), &others, kind, &mut rng);
                let say = format!("{}: {what}", name.display());
                let (read, codes) = sample.use_all(&world, &say);
                // What can be made anew, and what only says who is there, hits nothing.
                let file = name.file_name().unwrap().to_string_lossy();
                let harmless = file.starts_with("index.") || file.ends_with("lock") || file.ends_with("-shm");
                let all_right = read == counts && codes.iter().all(|code| *code == 0);
                assert!(all_right || !harmless && file != "proof", "{say}: {read:?} {codes:?}");
                // What is not all there is called damaged.
                assert!(read == counts || codes.contains(&7), "{say}: {read:?} {codes:?}");
                let in_session = name.starts_with("sessions");
                // Damage in the delta of one session is nothing to the other.
                assert!(
                    !in_session || read.iter().any(|(session, count)| count == &counts[session]),
                    "{say}: {read:?}"
                );
            }
        }
    }
}
