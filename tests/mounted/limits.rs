//! A mount process that may use little memory: it has fewer threads and smaller caches, and does not die.

use std::ffi::OsStr;
use std::fs;
use std::thread;

use crate::fixture::skipped;
use crate::takeover::record;
use crate::workspace::Workspace;

const FILES: usize = 12;

fn content(file: usize) -> Vec<u8> {
    (0..3_000_000usize).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ file as u8).collect()
}

/// Mounts with so many KiB of addresses, and works on it from many threads.
fn works_within(limit_kib: u64) {
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    for file in 0..FILES {
        fs::write(origin.join(format!("old-{file}")), content(file)).unwrap();
    }
    workspace.session_on(&origin);
    let point = workspace.path("mount");
    fs::create_dir(&point).unwrap();
    let program = workspace.command(&[OsStr::new("session")]).get_program().to_owned();
    let script = format!("ulimit -v {limit_kib}; exec \"$0\" session mount session \"$1\"");
    let mut mount = workspace.shell(&script);
    let output = mount.arg(&program).arg(&point).output().unwrap();
    assert!(output.status.success(), "{limit_kib}: {output:?}");
    let before = record(&workspace);
    thread::scope(|scope| {
        for file in 0..FILES {
            let point = &point;
            scope.spawn(move || {
                for round in 0..3 {
                    assert!(fs::read(point.join(format!("old-{file}"))).unwrap() == content(file));
                    let new = point.join(format!("new-{file}"));
                    fs::write(&new, content(file + round)).unwrap();
                    assert!(fs::read(&new).unwrap() == content(file + round));
                    for small in 0..40 {
                        fs::write(point.join(format!("small-{file}-{small}")), b"small").unwrap();
                    }
                }
            });
        }
    });
    let diff = workspace.aether(&["diff", "session", "--stat", "--all"]);
    assert!(!diff.stdout.is_empty());
    let after = record(&workspace);
    assert_eq!(after.process, before.process, "{limit_kib}: the mount process died");
    workspace.aether(&["session", "unmount", "session"]);
}

#[test]
fn few_addresses_are_met_by_fewer_threads_and_smaller_caches() {
    if skipped() {
        return;
    }
    for limit_kib in [800_000, 400_000, 250_000] {
        works_within(limit_kib);
    }
}
