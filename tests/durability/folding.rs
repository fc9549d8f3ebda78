//! A session that is put on another tree, killed at each call that writes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cli::{World, end};

/// The calls with which a command changes what is on the disk.
pub const WRITES: &str = "write,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,rename,renameat,renameat2,\
    unlink,unlinkat,mkdir,mkdirat,rmdir,utimensat";

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

/// A session, `fix-login`, with changes that nobody has stored.
fn prepared() -> World {
    let world = World::with_web();
    world.ok([
        "run",
        "fix-login",
        "--",
        "sh",
        "-c",
        "echo more >> index.html; rm lib/app.js; mkdir new; echo n > new/file",
    ]);
    world
}

/// Every change with its bytes.
fn looks(world: &World) -> String {
    world.ok(["diff", "--all", "fix-login"])
}

/// Runs a command, killed at its n-th writing call, for every n until it ends by itself; each time the session is as it
/// was, and the command can be run again.
fn killed_everywhere(args: &[&str], is_done: impl Fn(&World) -> bool) {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|word| word == "skip") {
        return;
    }
    let world = prepared();
    let before = looks(&world);
    // A state of its own for each kill: looking opens the session, and so may tidy up after the kill.
    copy(&world.data(), &world.path("kept"));
    let mut kills = 0;
    for number in 1.. {
        fs::remove_dir_all(world.data()).unwrap();
        copy(&world.path("kept"), &world.data());
        let command = world.aether(args);
        let mut killed = world.command("strace");
        killed.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={WRITES}"), "-e"]);
        killed.arg(format!("inject={WRITES}:signal=SIGKILL:when={number}"));
        killed.arg(command.get_program()).args(command.get_args());
        let ended = end(&mut killed);
        let say = format!("{args:?}, killed at call {number}");
        assert_eq!(looks(&world), before, "{say}");
        if ended.code == 0 {
            break;
        }
        kills += 1;
        // Run again, it does what it should have done.
        if number % 5 == 0 {
            assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0, "{say}");
            world.ok(args);
            assert!(is_done(&world) && looks(&world) == before, "{say}");
        }
    }
    assert!(kills > 20, "only {kills} calls were found");
}

#[test]
fn a_fold_that_is_killed_anywhere_keeps_every_change() {
    killed_everywhere(&["checkpoint", "create", "fix-login"], |world| {
        !world.json(["checkpoint", "list", "fix-login"]).is_empty()
    });
}

#[test]
fn an_archive_that_is_killed_anywhere_keeps_every_change() {
    killed_everywhere(&["session", "archive", "fix-login"], |world| {
        world.json(["session", "show", "fix-login"])[0]["status"] == "archived"
    });
}
