//! Very many sessions of one source, and very many of them mounted: what each of them costs.
//!
//! `AETHER_TEST_SESSIONS` and `AETHER_TEST_MOUNTS` say how many there are to be, `AETHER_TEST_TREE` which directory is
//! imported, `AETHER_TEST_LIST_MS` how long a list of all of them may take on a machine that has nothing else to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::fixture::skipped;
use crate::workspace::Workspace;

/// By how much the data directory may grow with a session, in bytes.
const BYTES_OF_A_SESSION: u64 = 64 << 10;

/// How much memory an idle mount process may have for itself, in bytes. The pages of the program are those of all of them.
const BYTES_OF_A_MOUNT: u64 = 16 << 20;

#[allow(clippy::disallowed_methods)]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Shown with `--nocapture`.
#[allow(clippy::disallowed_macros)]
fn report(what: &str, value: impl std::fmt::Debug) {
    println!("{what}: {value:?}");
}

/// What a directory takes on the disk, in bytes.
fn disk_usage(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let below = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap());
    let usage = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => found.blocks() * 512 + disk_usage(&entry.path()),
        Ok(found) => found.blocks() * 512,
        // Gone since it was listed.
        Err(_) => 0,
    };
    below.map(usage).sum()
}

/// Bytes of memory that a process has for itself, and with the pages of files that it has mapped.
fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    (bytes("RssAnon:") + bytes("RssShmem:"), bytes("VmRSS:"))
}

/// The directory to import: the one that was named, or a small one.
#[allow(clippy::disallowed_methods)]
fn tree(workspace: &Workspace) -> PathBuf {
    if let Some(named) = std::env::var_os("AETHER_TEST_TREE") {
        return named.into();
    }
    let origin = workspace.path("origin");
    for dir in 0..20 {
        fs::create_dir_all(origin.join(format!("{dir}"))).unwrap();
        (0..50).for_each(|file| fs::write(origin.join(format!("{dir}/{file}")), format!("{dir} {file}")).unwrap());
    }
    origin
}

#[test]
fn each_of_very_many_sessions_and_mounts_costs_little() {
    if skipped() {
        return;
    }
    let (sessions, mounts) = (number("AETHER_TEST_SESSIONS", 40), number("AETHER_TEST_MOUNTS", 4));
    let workspace = Workspace::new();
    workspace.session_on(&tree(&workspace));
    let data = workspace.path("../data").canonicalize().unwrap();
    // The catalog and the store: live files are those of a mount.
    let stored = || disk_usage(&data) - disk_usage(&data.join("sessions"));
    let before = stored();
    let started = Instant::now();
    for number in 0..sessions {
        let name = format!("many-{number}");
        // Half of them are forks, which are to cost no more.
        match number % 2 {
            0 => workspace.aether(&["session", "create", &name, "--source", "base"]),
            _ => workspace.aether(&["session", "fork", "session", &name]),
        };
    }
    report("a session took", started.elapsed() / u32::try_from(sessions).unwrap());
    let point = |number: u64| workspace.path(&format!("point-{number}"));
    let started = Instant::now();
    for number in 0..mounts {
        let name = format!("many-{number}");
        workspace.aether(&["session", "mount", &name, point(number).to_str().unwrap()]);
        assert!(fs::read_dir(point(number)).unwrap().count() > 0);
    }
    report("a mount took", started.elapsed() / u32::try_from(mounts.max(1)).unwrap());
    let grown = stored() - before;
    report("bytes of catalog and store for a session", grown / sessions);
    assert!(grown / sessions < BYTES_OF_A_SESSION, "{} bytes for a session", grown / sessions);

    let run = aether::daemon::RunDir::open(&workspace.path("../run/aether")).unwrap();
    let served = aether::daemon::mounts(&run).unwrap();
    assert_eq!(served.len() as u64, mounts);
    let mut found: Vec<(u64, u64)> = served.iter().map(|(record, _)| memory(record.process.pid)).collect();
    found.sort_unstable();
    report("bytes of an idle mount process of its own, and with the program's", (found[found.len() / 2], found.last()));
    assert!(found.last().is_none_or(|(own, _)| *own < BYTES_OF_A_MOUNT), "{found:?}");

    let list = || {
        let started = Instant::now();
        let listed = workspace.aether(&["session", "list", "-q"]);
        let took = started.elapsed();
        assert_eq!(listed.stdout.iter().filter(|byte| **byte == b'\n').count() as u64, sessions + 1);
        took
    };
    let mut took: Vec<Duration> = (0..9).map(|_| list()).collect();
    took.sort_unstable();
    report("a list of them all took", took[4]);
    let allowed = Duration::from_millis(number("AETHER_TEST_LIST_MS", 2_000));
    assert!(took[4] < allowed, "{took:?}");
    for number in 0..mounts {
        workspace.aether(&["session", "unmount", &format!("many-{number}")]);
    }
}
