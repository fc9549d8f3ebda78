//! Writing the changes of a session back to its directory: all of it or nothing of it at each path, and nothing of others.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;

use super::{Ended, World, end};

/// A session with changes of every kind.
fn changed() -> World {
    let world = World::with_web();
    world.sh(
        "cd src/web; echo out >.gitignore; mkdir -p out docs gone/deep; echo built >out/a; echo old >docs/old; echo d >gone/deep/f
         echo kind >kind; mkdir dir; echo text >moved; ln -s lib link; chmod 640 index.html; echo x >mode
         echo h >h1; ln h1 h2; echo k >k1",
    );
    world.ok(["source", "refresh", "web"]);
    world.ok(["update", "fix-login"]);
    edit(
        &world,
        "echo more >>lib/app.js; rm docs/old; rm -r gone; rm kind; mkdir kind; echo in >kind/f; rmdir dir; echo f >dir
         mkdir -p new/deep; mv moved new/deep/moved; rm link; ln -s docs link; chmod +x mode; echo s >out/a
         truncate -s 3M new/hole; echo end >>new/hole; setfattr -n user.note -v hi new/hole; touch -d '2001-02-03 04:05:06.7' new/hole
         mkfifo new/pipe; chmod 711 new/deep; echo more >>h1; ln k1 k2; echo n >new/n1; ln new/n1 new/deep/n2; ln k1 new/k3",
    );
    world
}

/// What of that is one file with several names.
const LINKED: &str =
    "[ h1 -ef h2 ] && [ k1 -ef k2 ] && [ k1 -ef new/k3 ] && [ new/n1 -ef new/deep/n2 ] && [ ! h1 -ef k1 ]";

fn edit(world: &World, script: &str) {
    world.ok(["run", "fix-login", "--", "sh", "-ec", script]);
}

fn apply(world: &World, args: &[&str]) -> Ended {
    world.run([&["session", "apply", "fix-login"], args].concat())
}

/// The paths of a report that became this.
fn paths(world: &World, args: &[&str], state: &str) -> Vec<String> {
    let report = end(world.aether([&["session", "apply", "fix-login", "--json"], args].concat()).arg("-q"));
    let report: Value = serde_json::from_str(&report.out).unwrap();
    let all = report["paths"].as_array().unwrap().iter().filter(|path| path["state"] == state);
    all.map(|path| path["path"].as_str().unwrap().to_owned()).collect()
}

/// All that a directory has but scratch: kind, mode, times of files, links and content.
fn listing(world: &World, dir: &Path) -> String {
    let script =
        "cd \"$1\"; find . -path ./out -prune -o ! -type d -printf '%y %m %p %l %T@\\n' -o -printf '%y %m %p\\n' | sort
        find . -path ./out -prune -o -type f -print | sort | xargs sha256sum; ls -A";
    let ended = end(world.command("sh").args(["-ec", script, "sh"]).arg(dir));
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out
}

/// What the directory is to have: the session's tree, written by `cp`.
fn wanted(world: &World) -> String {
    let at = world.path("wanted");
    world.ok(["run", "fix-login", "--", "cp", "-a", ".", at.to_str().unwrap()]);
    listing(world, &at)
}

#[test]
fn the_directory_has_what_the_session_has_and_running_it_again_does_nothing() {
    let world = changed();
    let web = world.path("src/web");
    let before = listing(&world, &web);
    let dry = apply(&world, &["--dry-run"]);
    assert_eq!((dry.code, listing(&world, &web)), (0, before), "{dry:?}");
    let ended = apply(&world, &[]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(listing(&world, &web), wanted(&world));
    world.sh(&format!("cd src/web; {LINKED}"));
    assert_eq!(fs::read_to_string(web.join("out/a")).unwrap(), "built\n", "scratch stays");
    let hole = fs::metadata(web.join("new/hole")).unwrap();
    assert!(hole.blocks() * 512 < 1 << 20, "a hole is a hole");
    let note = end(world.command("getfattr").args(["--only-values", "-n", "user.note"]).arg(web.join("new/hole")));
    assert_eq!(note.out, "hi");
    assert_eq!(fs::metadata(web.join("index.html")).unwrap().permissions().mode() & 0o777, 0o640);
    let again = apply(&world, &[]);
    assert!(again.code == 0 && again.out.contains("Applied 0 paths"), "{again:?}");
    assert_eq!(world.json(["event", "list", "--type", "session.apply"]).len(), 1);
    let undo = world.run(["undo"]);
    assert!(undo.code == 1 && undo.err.contains("outside of aether"), "{undo:?}");
    // What was applied is imported, and the session brings nothing to it.
    world.ok(["source", "refresh", "web"]);
    world.ok(["update", "fix-login"]);
    assert_eq!(world.ok(["diff", "fix-login"]), "");
}

#[test]
fn what_others_did_there_is_left_alone_and_named() {
    let world = changed();
    let web = world.path("src/web");
    world.sh(
        "cd src/web; echo theirs >>lib/app.js; echo foreign >docs/mine; echo changed >gone/deep/f; mkdir new; echo n >new/hole
         rm link; echo kept >dir/kept; chmod 600 mode; touch kind",
    );
    let ended = apply(&world, &[]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.out.contains("lib/app.js") && ended.out.contains("changed there"), "{}", ended.out);
    let conflicts = paths(&world, &[], "conflict");
    assert_eq!(conflicts, ["dir", "gone/deep/f", "lib/app.js", "link", "new/hole"]);
    let text = |path: &str| fs::read_to_string(web.join(path)).unwrap();
    assert_eq!((text("docs/mine"), text("gone/deep/f")), ("foreign\n".into(), "changed\n".into()));
    assert_eq!((text("new/hole"), text("dir/kept")), ("n\n".into(), "kept\n".into()));
    assert_eq!((text("new/deep/moved"), text("kind/f")), ("text\n".into(), "in\n".into()));
    assert!(!web.join("moved").exists() && !web.join("link").exists() && !web.join("docs/old").exists());
    // Their change of the mode and ours.
    assert_eq!(fs::metadata(web.join("mode")).unwrap().permissions().mode() & 0o777, 0o711);
    assert!(fs::read_dir(&web).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("aether")));
}

#[test]
fn no_link_leads_out_of_the_directory() {
    let world = changed();
    world.sh("mkdir out; echo mine >out/app.js; mv src/web/lib src/lib; ln -s ../../out src/web/lib; ln -s ../../out src/web/new");
    let ended = apply(&world, &[]);
    assert_eq!(ended.code, 4, "{ended:?}");
    world.sh("[ \"$(ls out)\" = app.js ] && [ \"$(cat out/app.js)\" = mine ]");
}

#[test]
fn only_the_paths_that_are_wanted_and_only_where_it_is_wanted() {
    let world = changed();
    world.sh("cp -a src/web other; cp -r src/web plain");
    assert_eq!(apply(&world, &["--path", "lib", "--path", "new/deep/moved"]).code, 0);
    world.sh(
        "grep -q more src/web/lib/app.js; [ -e src/web/new/deep/moved ]; [ ! -e src/web/moved ]; [ -f src/web/kind ]",
    );
    // By content where numbers and times say nothing.
    for dir in ["other", "plain"] {
        assert_eq!(apply(&world, &["--to", dir]).code, 0, "{dir}");
        world.sh(&format!("[ -f {dir}/dir ] && [ -d {dir}/kind ]"));
    }
    assert_eq!(listing(&world, &world.path("other")), wanted(&world));
    world.sh(&format!("cd other; {LINKED}"));
    assert_eq!(apply(&world, &["--to", "missing"]).code, 3);
    world.ok(["session", "create", "blank", "--empty"]);
    assert_eq!(world.run(["session", "apply", "blank"]).code, 2);
    let mount = world.ok(["mount", "fix-login", "-q"]);
    assert_eq!(apply(&world, &["--to", mount.trim()]).code, 5);
    world.ok(["unmount", "fix-login"]);
}

#[test]
fn a_name_is_given_only_to_a_file_that_is_what_it_is_in_the_session() {
    let world = changed();
    // Another content, another mode, and another file of the same content.
    world.sh("cd src/web; echo theirs >>k1");
    assert_eq!(apply(&world, &[]).code, 0);
    world.sh("cd src/web; [ k2 -ef new/k3 ] && [ ! k1 -ef k2 ] && grep -q theirs k1 && [ \"$(cat k2)\" = k ]");
    let world = changed();
    world.sh("cd src/web; chmod 600 k1; cp -p h2 x; mv x h2; chmod 640 h2");
    assert_eq!(apply(&world, &[]).code, 0);
    world.sh("cd src/web; [ ! k1 -ef k2 ] && [ \"$(stat -c %a k1 k2 | xargs)\" = '600 644' ]");
    world.sh("cd src/web; [ ! h1 -ef h2 ] && cmp h1 h2 && [ \"$(stat -c %a h1 h2 | xargs)\" = '644 640' ]");
    // A name alone.
    let world = changed();
    assert_eq!(apply(&world, &["--path", "new/k3", "--path", "h2"]).code, 0);
    world.sh("cd src/web; [ k1 -ef new/k3 ] && [ ! -e k2 ] && [ ! h1 -ef h2 ] && grep -q more h2 && ! grep -q more h1");
    assert_eq!(apply(&world, &[]).code, 0);
    world.sh(&format!("cd src/web; {LINKED}"));
}

/// Every path of the target is what it was, or what it is to be; returns whether all are what they are to be.
fn is_old_or_new(world: &World, (old, new): (&str, &str)) -> bool {
    let now = listing(world, &world.path("src/web"));
    let is_name = |line: &&str| line.contains("./");
    for line in now.lines().filter(is_name).filter(|line| !line.starts_with('d') && !line.contains(".aether-apply-")) {
        assert!(old.lines().chain(new.lines()).any(|known| known == line), "`{line}` is neither old nor new");
    }
    now == new
}

#[test]
fn killed_at_any_call_that_writes_it_is_finished_by_running_it_again() {
    let world = changed();
    let web = world.path("src/web");
    world.sh("cp -a src/web saved");
    let (old, new) = (listing(&world, &web), wanted(&world));
    let mut kills = 0;
    for call in [
        "openat",
        "mkdirat",
        "write",
        "pwrite64",
        "fsync",
        "symlinkat",
        "linkat",
        "mknodat",
        "fchown",
        "fsetxattr",
        "fchmod",
        "utimensat",
        "renameat2",
        "unlinkat",
        "ftruncate",
        "fdatasync",
    ] {
        // The first calls of a run are those of the catalog and the store; the last ones are of the apply.
        let count = calls(&world, call);
        for at in (1..=count).rev().take(if call == "openat" { 8 } else { 20 }) {
            world.sh("rm -rf src/web/* src/web/.[a-z]*; cp -a saved/. src/web/");
            let inject = format!("inject={call}:signal=KILL:when={at}");
            let ended = strace(&world, &["-e", &format!("trace={call}"), "-e", &inject]);
            is_old_or_new(&world, (&old, &new));
            kills += u32::from(ended.code != 0);
            let again = apply(&world, &[]);
            assert_eq!(again.code, 0, "{call} {at}: {again:?}");
            assert!(is_old_or_new(&world, (&old, &new)), "{call} {at}: {}", listing(&world, &web));
            world.sh(&format!("cd src/web; {LINKED}"));
        }
    }
    assert!(kills > 50, "only {kills} runs were killed");
}

#[test]
fn a_full_disk_harms_nothing() {
    let world = changed();
    let web = world.path("src/web");
    let (old, new) = (listing(&world, &web), wanted(&world));
    for call in ["openat", "write", "mkdirat", "fsync", "renameat2", "symlinkat"] {
        let count = calls(&world, call);
        // A call of the apply itself, not of the catalog before or after it.
        for at in (1..=count).rev().skip(2).step_by(3).take(6) {
            world.sh("rm -rf src/web/* src/web/.[a-z]*; cp -a saved/. src/web/");
            let inject = format!("inject={call}:error=ENOSPC:when={at}");
            strace(&world, &["-e", &format!("trace={call}"), "-e", &inject]);
            is_old_or_new(&world, (&old, &new));
            assert_eq!(apply(&world, &[]).code, 0, "{call} {at}");
            assert!(is_old_or_new(&world, (&old, &new)), "{call} {at}");
        }
    }
}

fn strace(world: &World, args: &[&str]) -> Ended {
    let log = world.path("strace");
    let mut command = world.command("strace");
    command.args(["-f", "-o"]).arg(&log).args(args).arg(env!("CARGO_BIN_EXE_aether"));
    end(command.args(["session", "apply", "fix-login"]))
}

/// How often an apply that has everything to do makes a call.
fn calls(world: &World, call: &str) -> usize {
    if !world.path("saved").exists() {
        world.sh("cp -a src/web saved");
    }
    world.sh("rm -rf src/web/* src/web/.[a-z]*; cp -a saved/. src/web/");
    let ended = strace(world, &["-e", &format!("trace={call}")]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let log = fs::read_to_string(world.path("strace")).unwrap();
    log.lines().filter(|line| line.contains(&format!("{call}("))).count()
}
