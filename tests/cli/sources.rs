//! Sources: imports, refresh, deletion.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::{World, end};

#[test]
fn a_refresh_makes_a_revision_only_when_something_changed() {
    let world = World::with_web();
    world.ok(["source", "refresh", "web"]);
    assert_eq!(world.json(["source", "log", "web"]).len(), 1);
    fs::write(world.path("src/web/new.txt"), "new").unwrap();
    world.ok(["source", "refresh", "web"]);
    let log = world.json(["source", "log", "web"]);
    assert_eq!(log.iter().map(|row| row["number"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((log[0]["files"].as_u64(), log[1]["files"].as_u64()), (Some(3), Some(2)));
    assert_ne!(log[0]["root"], log[1]["root"]);
    // The session stays where it was.
    assert_eq!(world.json(["session", "show", "fix-login"])[0]["revision"], 1);
}

#[test]
fn a_refresh_imports_as_the_first_time() {
    let world = World::new();
    fs::create_dir_all(world.path("src/out")).unwrap();
    fs::write(world.path("src/a.txt"), "a").unwrap();
    fs::write(world.path("src/out/x.o"), "x").unwrap();
    world.ok(["source", "create", "lean", "src", "--exclude", "out", "--scratch", "*.tmp"]);
    fs::write(world.path("src/b.txt"), "b").unwrap();
    fs::write(world.path("src/out/y.o"), "y").unwrap();
    world.ok(["source", "refresh", "lean"]);
    let shown = &world.json(["source", "show", "lean"])[0];
    assert_eq!(shown["newest"]["files"], 2);
    assert_eq!((&shown["excludes"][0], &shown["scratch"][0]), (&"out".into(), &"*.tmp".into()));
}

#[test]
fn files_that_their_own_owner_cannot_read_are_named_with_what_helps() {
    let world = World::new();
    fs::create_dir_all(world.path("src/shut")).unwrap();
    for name in ["open.txt", "none.txt", "shut/inside.txt"] {
        fs::write(world.path("src").join(name), "x").unwrap();
    }
    for name in ["none.txt", "shut"] {
        fs::set_permissions(world.path("src").join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    // An ordinary user, whom permissions bind, with all of this as their own.
    let program = world.path("aether");
    fs::copy(env!("CARGO_BIN_EXE_aether"), &program).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        world.sh("chmod 755 . && chown -R 65534:65534 .");
    }
    let run = |args: &[&str]| {
        let mut command = world.command(&program);
        if is_root {
            command.uid(65534).gid(65534);
        }
        end(command.args(args))
    };
    let refused = run(&["source", "create", "web", "src"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for line in [
        "error: 2 files could not be read, first `none.txt`: Permission denied",
        "`shut`: Permission denied",
        "`chmod -R u+rX` lets you read those that are your own",
        "`--skip-unreadable` takes all the others",
    ] {
        assert!(refused.err.contains(line), "`{line}` is missing: {}", refused.err);
    }
    let taken = run(&["source", "create", "web", "src", "--skip-unreadable"]);
    assert!(taken.code == 0 && taken.err.contains("none.txt") && taken.err.contains("shut"), "{taken:?}");
    assert_eq!(run(&["ls", "web"]).out, "open.txt\n");
    world.sh("chmod -R u+rX src");
    assert_eq!(run(&["source", "refresh", "web"]).code, 0);
    assert_eq!(run(&["ls", "web"]).out, "none.txt\nopen.txt\nshut\n");
}

#[test]
fn a_source_that_sessions_stand_on_is_not_deleted_by_accident() {
    let world = World::with_web();
    let refused = world.run(["source", "delete", "web"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("`fix-login`") && refused.err.contains("--force"), "{refused:?}");
    world.ok(["source", "delete", "web", "--force"]);
    assert_eq!(world.run(["source", "show", "web"]).code, 3);
    let session = &world.json(["session", "show", "fix-login"])[0];
    assert_eq!((session["source"].as_str(), session["revision"].as_u64()), (Some("web"), Some(1)));
    world.ok(["source", "create", "web", "--empty"]);
}

#[test]
fn a_failed_import_leaves_no_source() {
    let world = World::new();
    assert_eq!(world.run(["source", "create", "web", "nowhere"]).code, 3);
    fs::write(world.path("file"), "x").unwrap();
    assert_eq!(world.run(["source", "create", "web", "file"]).code, 1);
    assert_eq!(world.run(["source", "create", "web", ".", "--exclude", "a["]).code, 2);
    assert!(world.json(["source", "list"]).is_empty());
}

#[test]
fn the_data_directory_is_left_out_and_said_so() {
    let world = World::with_web();
    let ended = world.run(["source", "create", "home", "."]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("warning: left out `data`"), "{ended:?}");
    let left_out = &world.json(["source", "show", "home"])[0]["newest"]["left_out"];
    assert_eq!(left_out.as_array().unwrap().len(), 1);
}

#[test]
fn an_origin_whose_name_is_no_text_is_found_again() {
    let world = World::new();
    let name = std::ffi::OsString::from_vec(b"od\xff\n\x1b[31md".to_vec());
    fs::create_dir(world.dir.path().join(&name)).unwrap();
    let ended = super::end(world.aether(["source", "create", "odd"]).arg(&name));
    assert_eq!(ended.code, 0, "{ended:?}");
    world.ok(["source", "refresh", "odd"]);
    let shown = &world.json(["source", "show", "odd"])[0];
    assert!(shown["origin_hex"].as_str().unwrap().ends_with("6f64ff0a1b5b33316d64"), "{shown}");
    let text = world.ok(["source", "show", "odd"]);
    assert!(text.contains("\\n\\x1b[31md") && !text.contains('\u{1b}'), "{text}");
}

/// Refreshes the source `web` after a change; there are so many revisions then.
fn grow(world: &World, revisions: usize) {
    for number in world.json(["source", "log", "web"]).len()..revisions {
        fs::write(world.path("src/web/number"), number.to_string()).unwrap();
        world.ok(["source", "refresh", "web"]);
    }
}

#[test]
fn old_revisions_are_let_go_of_but_for_those_that_sessions_stand_on() {
    let world = World::with_web();
    grow(&world, 5);
    world.ok(["session", "create", "middle", "--source", "web@3"]);
    let numbers = || {
        let log = world.json(["source", "log", "web"]);
        log.iter().map(|row| row["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let planned = &world.json(["source", "prune", "web", "--keep", "1", "--dry-run"])[0];
    assert_eq!((planned["pruned"].as_array().unwrap().len(), numbers().len()), (2, 5));
    let out = world.ok(["source", "prune", "web", "--keep", "1"]);
    assert!(out.contains("Let go of web@4") && out.contains("Kept web@1, on which fix-login stands"), "{out}");
    assert_eq!(numbers(), [5, 3, 1]);
    world.ok(["undo"]);
    assert_eq!(numbers(), [5, 4, 3, 2, 1]);
    assert_eq!(world.ok(["cat", "web@4:number"]), "3");
    world.ok(["redo"]);
    world.ok(["source", "prune", "web", "--keep", "1", "--force"]);
    assert_eq!(numbers(), [5]);
    // The sessions keep what they stand on, and numbers are not given out twice.
    world.ok(["store", "gc", "--trash-days", "0"]);
    assert_eq!(world.ok(["cat", "middle:number"]), "2");
    assert_eq!(world.ok(["diff", "middle", "--name-status"]), "");
    assert_eq!(world.run(["cat", "web@3:number"]).code, 3);
    grow(&world, 2);
    assert_eq!(numbers(), [6, 5]);
    assert_eq!(world.run(["source", "prune", "web", "--keep", "0"]).code, 2);
}

#[test]
fn revisions_are_compared_with_each_other_and_the_one_before() {
    let world = World::with_web();
    let ended = world.run(["source", "diff", "web"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.contains("`web@1` is the first revision"), "{}", ended.err);
    grow(&world, 3);
    assert_eq!(world.ok(["source", "diff", "web", "--name-status"]), "M\tnumber\n");
    assert_eq!(world.ok(["source", "diff", "web@2", "--name-status"]), "A\tnumber\n");
    assert_eq!(world.ok(["source", "diff", "web@3", "web@1", "--name-status"]), "D\tnumber\n");
    // A session of the same name does not make it a question.
    world.ok(["session", "create", "web", "--source", "web"]);
    assert_eq!(world.ok(["source", "diff", "web@1", "web@2", "--name-status"]), "A\tnumber\n");
}

#[test]
fn a_source_is_made_of_a_session_or_of_a_state_that_stays() {
    let world = World::with_web();
    grow(&world, 2);
    world.ok(["checkpoint", "create", "fix-login"]);
    for (name, state) in [("of-session", "fix-login"), ("of-checkpoint", "fix-login@1"), ("of-revision", "web@2")] {
        world.ok(["source", "create", name, "--from", state]);
        assert_eq!(world.ok(["diff", name, state, "--all", "--name-status"]), "", "{name}");
        assert_eq!(world.json(["source", "show", name])[0]["kind"], "state");
        let out = world.ok(["source", "refresh", name]);
        assert!(out.contains("Nothing changed"), "{out}");
    }
    world.ok(["session", "create", "onward", "--source", "of-session"]);
    assert_eq!(world.ok(["cat", "onward:index.html"]), "<p>hello</p>\n");
    // A session that goes on is taken again by a refresh, whatever it is called by then.
    world.ok(["session", "update", "fix-login"]);
    world.ok(["session", "rename", "fix-login", "renamed"]);
    world.ok(["source", "refresh", "of-session"]);
    assert_eq!(world.ok(["source", "diff", "of-session", "--name-status"]), "A\tnumber\n");
    world.ok(["session", "delete", "renamed"]);
    assert_eq!(world.run(["source", "refresh", "of-session"]).code, 3);
    assert_eq!(world.run(["source", "create", "x", "--from", "nowhere"]).code, 3);
    assert_eq!(world.run(["source", "create", "x", "--from", "web", "--rev", "v1"]).code, 2);
    assert_eq!(world.run(["source", "create", "x", "src", "--from", "web"]).code, 2);
}
