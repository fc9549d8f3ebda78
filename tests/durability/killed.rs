//! Mending the store and copying it, killed at each call that writes.
//!
//! At every third of them, as long as `AETHER_TEST_KILLS=all` does not ask for all, which takes minutes.

use std::fs;

use super::folding::{WRITES, copy};
use crate::cli::{Ended, World, end};

/// Files of the source, with content that does not compress.
const FILES: [&str; 3] = ["a.bin", "b.bin", "c.bin"];

/// A source with three files, of which one is damaged in the store, and an index that is none.
fn damaged() -> World {
    let world = World::with_web();
    for (file, seed) in FILES.iter().zip(1..) {
        let mut bytes = vec![0; 300_000];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        fs::write(world.path("src/web").join(file), bytes).unwrap();
    }
    world.ok(["source", "refresh", "web"]);
    let packs = fs::read_dir(world.data().join("objects/packs")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[450_000] ^= 4;
    fs::write(&pack, bytes).unwrap();
    fs::write(world.data().join("objects/index.db"), "no index").unwrap();
    world
}

/// The numbers of the calls that are tried.
fn calls() -> impl Iterator<Item = usize> {
    let all = std::env::var_os("AETHER_TEST_KILLS").is_some_and(|word| word == "all");
    (1..).step_by(if all { 1 } else { 3 })
}

/// Runs a command that is killed at its n-th call that writes; the calls of each thread are counted for themselves.
fn killed_at(world: &World, number: usize, args: &[&str]) -> Ended {
    let command = world.aether(args);
    let mut killed = world.command("strace");
    killed.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={WRITES}"), "-e"]);
    killed.arg(format!("inject={WRITES}:signal=SIGKILL:when={number}"));
    end(killed.arg(command.get_program()).args(command.get_args()))
}

/// Gives a directory the content that was kept of it.
fn put_back(world: &World, kept: &str, name: &str) {
    let dir = world.path(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    if world.path(kept).exists() {
        copy(&world.path(kept), &dir);
    }
}

/// How many of the files are whole in the store. None has wrong bytes.
fn whole_files(world: &World) -> usize {
    let is_whole = |file: &&&str| {
        let found = world.aether(["cat", &format!("web@2:{file}")]).output().unwrap();
        let is_right = found.stdout == fs::read(world.path("src/web").join(file)).unwrap();
        assert!(is_right || found.status.code() == Some(7), "{file}: {found:?}");
        is_right
    };
    FILES.iter().filter(is_whole).count()
}

#[test]
fn a_repair_that_is_killed_anywhere_takes_nothing_healthy_away_and_can_be_run_again() {
    let world = damaged();
    copy(&world.data(), &world.path("kept"));
    let mut kills = 0;
    for number in calls() {
        put_back(&world, "kept", "data");
        let ended = killed_at(&world, number, &["store", "repair"]);
        let say = format!("killed at call {number}: {ended:?}");
        assert!(whole_files(&world) >= 2, "{say}");
        if ended.code == 0 {
            break;
        }
        kills += 1;
        world.ok(["store", "repair"]);
        assert_eq!(whole_files(&world), 3, "{say}");
        assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0, "{say}");
    }
    assert!(kills > 10, "only {kills} calls were found");
}

/// What a data directory has: what the newest revision holds, and each change of the session with its bytes.
fn holds(world: &World, dir: &str) -> String {
    let run = |args: &[&str]| end(world.aether(args).env("AETHER_HOME", world.path(dir)));
    let found = [run(&["ls", "-l", "web"]), run(&["diff", "--all", "fix-login"])];
    found.iter().map(|ended| format!("{} {}\n{}", ended.code, ended.out, ended.err)).collect()
}

/// Makes a backup `copy`, in place of the one that is there if there is one, killed at each call. Each time it is the one
/// before or the new one, and the next one is made as if nothing had happened.
fn backup_killed_everywhere(world: &World) {
    let before = world.path("kept-copy").exists().then(|| holds(world, "kept-copy"));
    let now = holds(world, "data");
    assert_ne!(before.as_ref(), Some(&now));
    copy(&world.data(), &world.path("kept"));
    let mut kills = 0;
    for number in calls() {
        put_back(world, "kept", "data");
        put_back(world, "kept-copy", "copy");
        let ended = killed_at(world, number, &["store", "backup", "copy"]);
        let say = format!("killed at call {number}: {ended:?}");
        assert_eq!(holds(world, "data"), now, "{say}");
        if world.path("copy/catalog.db").exists() {
            // Looked at from aside: who looks may tidy up.
            put_back(world, "copy", "aside");
            let found = holds(world, "aside");
            assert!(found == now || Some(&found) == before.as_ref(), "{say}\n{found}");
            let verify = end(world.aether(["store", "verify"]).env("AETHER_HOME", world.path("aside")));
            assert_eq!(verify.code, 0, "{say}: {verify:?}");
        } else {
            assert_eq!(before, None, "{say}");
        }
        if ended.code == 0 {
            break;
        }
        kills += 1;
        world.ok(["store", "backup", "copy"]);
        assert_eq!(holds(world, "copy"), now, "{say}");
    }
    assert!(kills > 10, "only {kills} calls were found");
}

/// A session with changes that nobody has stored, on a source.
fn changed(world: &World, text: &str) {
    if std::env::var_os("AETHER_TEST_FUSE").is_none_or(|word| word != "skip") {
        world.ok(["run", "fix-login", "--", "sh", "-c", &format!("echo {text} >> index.html; echo {text} > {text}")]);
    }
}

#[test]
fn a_first_backup_that_is_killed_anywhere_is_begun_again() {
    let world = World::with_web();
    changed(&world, "first");
    backup_killed_everywhere(&world);
}

#[test]
fn a_backup_that_is_killed_anywhere_is_the_one_before_or_the_new_one() {
    let world = World::with_web();
    changed(&world, "first");
    world.ok(["store", "backup", "kept-copy"]);
    fs::write(world.path("src/web/more"), "more\n").unwrap();
    world.ok(["source", "refresh", "web"]);
    changed(&world, "second");
    backup_killed_everywhere(&world);
}
