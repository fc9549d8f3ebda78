//! Undo, redo and the operation log.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use super::World;

fn names(world: &World) -> Vec<String> {
    world.ok(["session", "list", "-q"]).lines().map(str::to_owned).collect()
}

#[test]
fn undo_goes_back_command_by_command_and_redo_forth() {
    let world = World::with_web();
    world.ok(["session", "rename", "fix-login", "fix"]);
    world.ok(["session", "delete", "fix"]);
    assert!(names(&world).is_empty());
    let undone = &world.json(["undo"])[0];
    assert_eq!((undone["target"].as_i64(), undone["command"].as_str()), (Some(4), Some("session delete fix")));
    assert_eq!(undone["changed"][0]["type"], "session.undo");
    assert_eq!(names(&world), ["fix"]);
    world.ok(["undo"]);
    assert_eq!(names(&world), ["fix-login"]);
    world.ok(["undo"]);
    assert!(names(&world).is_empty());
    for wanted in [&["fix-login"][..], &["fix"], &[]] {
        world.ok(["redo"]);
        assert_eq!(names(&world), wanted);
    }
    let nothing = world.run(["redo"]);
    assert!(nothing.code == 3 && nothing.err.contains("hint:"), "{nothing:?}");
}

#[test]
fn the_log_says_who_did_what_and_what_is_undone() {
    let world = World::with_web();
    world.ok(["session", "rename", "fix-login", "fix", "--as", "bob"]);
    world.ok(["undo", "3"]);
    let log = world.json(["op", "log"]);
    let numbers: Vec<_> = log.iter().map(|row| row["operation"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert_eq!((&log[0]["kind"], &log[0]["target"]), (&"undo".into(), &3.into()));
    assert_eq!((&log[1]["actor"], &log[1]["undone_by"]), (&"bob".into(), &4.into()));
    assert_eq!(log[1]["changed"][0]["type"], "session.rename");
    assert_eq!(log[3]["changed"].as_array().unwrap().len(), 2, "{log:?}");
    let shown = &world.json(["op", "show", "3"])[0];
    let row = &shown["rows"][0];
    assert_eq!((&row["before"]["name"], &row["after"]["name"]), (&"fix-login".into(), &"fix".into()));
    let text = world.ok(["op", "show", "3"]);
    assert!(text.contains("name: fix-login -> fix"), "{text}");
    assert_eq!(world.run(["op", "show", "99"]).code, 3);
    assert_eq!(world.run(["op", "show", "x"]).code, 2);
}

#[test]
fn what_was_changed_since_is_refused_with_the_command_that_did_it() {
    let world = World::with_web();
    world.ok(["session", "rename", "fix-login", "fix"]);
    let refused = world.run(["undo", "2"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("by operation 3 (`session rename fix-login fix`)"), "{refused:?}");
    assert!(refused.err.contains("`aether undo 3` first"), "{refused:?}");
    for (args, code) in [(["undo", "77"], 3), (["undo", "x"], 2), (["undo", "1"], 4), (["undo", "0"], 3)] {
        assert_eq!(world.run(args).code, code, "{args:?}");
    }
    world.ok(["undo"]);
    assert_eq!(world.run(["undo", "3"]).code, 4);
}

#[test]
fn undoing_the_import_of_a_source_and_its_refresh() {
    let world = World::with_web();
    std::fs::write(world.path("src/web/new.txt"), "new").unwrap();
    world.ok(["source", "refresh", "web"]);
    world.ok(["undo"]);
    assert_eq!(world.json(["source", "show", "web"])[0]["newest"]["number"], 1);
    world.ok(["redo"]);
    assert_eq!(world.json(["source", "show", "web"])[0]["newest"]["number"], 2);
    world.ok(["undo", "3"]);
    world.ok(["source", "refresh", "web"]);
    assert_eq!(world.json(["source", "show", "web"])[0]["newest"]["number"], 3);
    let used = world.run(["undo", "1"]);
    assert!(used.code == 4 && used.err.contains("`fix-login`"), "{used:?}");
}

#[test]
fn twenty_processes_that_write_and_undo_at_once_neither_fail_nor_mix() {
    let world = World::new();
    let start = |at: usize| {
        let name = format!("n{at}");
        let mut command = match at % 4 {
            0 => world.aether(["undo"]),
            _ => world.aether(["session", "create", &name, "--empty"]),
        };
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // However they meet, each of the five undos finds a command of its own.
    (0..5).for_each(|at| drop(world.ok(["session", "create", &format!("first-{at}"), "--empty"])));
    let children: Vec<Child> = (0..20).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let log = world.json(["op", "log"]);
    assert_eq!(log.len(), 25);
    let undone = log.iter().filter(|row| !row["undone_by"].is_null()).count();
    assert_eq!((undone, names(&world).len()), (5, 20 - 5));
    let targets: BTreeSet<i64> = log.iter().filter_map(|row| row["target"].as_i64()).collect();
    assert_eq!(targets.len(), 5, "{targets:?}");
}
