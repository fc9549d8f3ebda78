//! The git hook that calls aether: what was there before is kept, runs, and comes back as it was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::World;

fn repository(world: &World) {
    world.sh("git init -q -b main repo; cd repo; git config user.name ann; git config user.email ann@example.org
         echo one >file; git add .; git commit -qm one");
}

/// Everything of a file that could be told apart.
fn look(path: &Path) -> (Vec<u8>, u32, i64, i64) {
    let meta = fs::metadata(path).unwrap();
    (fs::read(path).unwrap(), meta.permissions().mode(), meta.mtime(), meta.mtime_nsec())
}

fn commits(world: &World) -> i32 {
    let script = "cd repo; echo more >>file; git commit -qam more";
    super::end(world.command("sh").args(["-c", script]).env("GIT_CONFIG_NOSYSTEM", "1")).code
}

#[test]
fn a_hook_that_was_there_runs_before_and_comes_back_as_it_was() {
    let world = World::new();
    repository(&world);
    let (plain, husky) = (".git/hooks/pre-commit", ".husky/_/pre-commit");
    let shared = "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"";
    let runner =
        "n=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n";
    for (path, script, mode, hooks_path) in [
        (plain, "#!/bin/sh\ntest ! -e refuse && echo $(basename $0) >>$HOME/log\n", 0o755, None),
        (
            plain,
            "#!/usr/bin/env python3\nimport os, sys\nopen(os.environ['HOME'] + '/log', 'a').write('pre-commit\\n')\nsys.exit(os.path.exists('refuse'))\n",
            0o700,
            None,
        ),
        (plain, "#!/bin/sh\nexit 1\n", 0o644, None),
        (husky, shared, 0o755, Some(".husky/_")),
    ] {
        let path = world.path("repo").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if let Some(hooks_path) = hooks_path {
            fs::write(world.path("repo/.husky/_/h"), runner).unwrap();
            let own = "test ! -e refuse && echo $(basename $0) >>$HOME/log\n";
            fs::write(world.path("repo/.husky/pre-commit"), own).unwrap();
            world.sh(&format!("cd repo; git config core.hooksPath {hooks_path}"));
        }
        let before = look(&path);
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        world.ok(["hook", "install", "--git", "repo"]);
        let again = world.json(["hook", "install", "--git", "repo"]);
        assert_eq!(again[0]["changed"], false, "{script}");
        let _ = fs::remove_file(world.path("log"));
        assert_eq!(commits(&world), 0, "{script}");
        let runs = mode & 0o100 != 0;
        let log = fs::read_to_string(world.path("log")).unwrap_or_default();
        assert_eq!(log, if runs { "pre-commit\n" } else { "" }, "{script}");
        fs::write(world.path("repo/refuse"), "").unwrap();
        assert_eq!(commits(&world) != 0, runs, "{script}");
        fs::remove_file(world.path("repo/refuse")).unwrap();
        world.ok(["hook", "uninstall", "--git", "repo"]);
        assert_eq!(look(&path), before, "{script}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), files, "{script}");
        assert_eq!(world.run(["hook", "uninstall", "--git", "repo"]).code, 3);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_somebody_else_wrote_is_left_alone() {
    let world = World::new();
    repository(&world);
    world.sh("rm -r repo/.git/hooks");
    world.ok(["hook", "install", "--git", "repo/.git"]);
    let hook = world.path("repo/.git/hooks/pre-commit");
    let ours = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, format!("{ours}echo mine\n")).unwrap();
    for verb in ["install", "uninstall"] {
        let ended = world.run(["hook", verb, "--git", "repo"]);
        assert!(ended.code == 4 && ended.err.contains("somebody edited it"), "{ended:?}");
    }
    fs::write(&hook, ours).unwrap();
    world.ok(["hook", "uninstall", "--git", "repo"]);
    assert!(!world.path("repo/.git/hooks").exists(), "it was made for the hook");
    // Nothing outside of the repository is changed for it.
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.sh("cd repo; git config core.hooksPath ../elsewhere");
    let ended = world.run(["hook", "install", "--git", "repo"]);
    assert!(ended.code == 4 && ended.err.contains("leads out of the repository"), "{ended:?}");
    assert_eq!(fs::read_dir(world.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(world.run(["hook", "install", "--git", "elsewhere"]).code, 1);
}

#[test]
fn in_a_session_a_git_commit_makes_a_checkpoint_and_asks_the_policy() {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
        return;
    }
    let world = World::new();
    repository(&world);
    world.ok(["hook", "install", "--git", "repo"]);
    world.ok(["source", "create", "repo", "repo"]);
    world.ok(["session", "create", "fix", "--source", "repo"]);
    let commit = ["run", "fix", "--", "sh", "-c", "echo two >>file; git commit -qam two"];
    assert_eq!(world.run(commit).code, 0);
    assert_eq!(world.json(["checkpoint", "list", "fix"]).len(), 1);
    fs::write(world.path("policy"), "[actions.commit]\ngrants = 1\n").unwrap();
    world.ok(["policy", "set", "repo", "--file", "policy"]);
    let refused = world.run(commit);
    assert!(refused.code == 1 && refused.err.contains("wants 1 grant"), "{refused:?}");
    world.ok(["-s", "fix", "approval", "request", "commit"]);
    world.ok(["approval", "grant", "fix"]);
    assert_eq!(world.run(["run", "fix", "--", "git", "commit", "-qam", "three"]).code, 0);
    let log = world.run(["run", "fix", "--", "git", "log", "--format=%s"]);
    assert_eq!(log.out, "three\ntwo\none\n");
}
