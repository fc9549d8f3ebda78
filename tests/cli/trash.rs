//! The trash.

use std::fs;

use serde_json::Value;

use super::World;

/// Names and kinds in the trash.
fn trash(world: &World) -> Vec<(String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    world.json(["trash", "list"]).iter().map(|row| (text(row, "kind"), text(row, "name"))).collect()
}

#[test]
fn what_was_deleted_comes_back_with_its_files() {
    let world = World::with_web();
    let id = world.json(["session", "show", "fix-login"])[0]["id"].as_str().unwrap().to_owned();
    let delta = world.data().join("sessions").join(&id);
    fs::create_dir_all(&delta).unwrap();
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["source", "delete", "web"]);
    assert_eq!(trash(&world), [("source".into(), "web".into()), ("session".into(), "fix-login".into())]);
    assert!(delta.exists());
    world.ok(["trash", "restore", "web"]);
    world.ok(["trash", "restore", &id[..6]]);
    assert!(trash(&world).is_empty());
    assert_eq!(world.json(["session", "show", "fix-login"])[0]["id"], id.as_str());
    // That was an operation as any other.
    world.ok(["undo"]);
    assert_eq!(trash(&world), [("session".into(), "fix-login".into())]);
}

#[test]
fn a_name_that_was_taken_since_is_no_obstacle() {
    let world = World::with_web();
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["session", "create", "fix-login", "--empty"]);
    let taken = world.run(["trash", "restore", "fix-login"]);
    assert!(taken.code == 4 && taken.err.contains("--name"), "{taken:?}");
    assert_eq!(world.run(["trash", "restore", "fix-login", "--name", "a b"]).code, 2);
    world.ok(["trash", "restore", "fix-login", "--name", "old-login"]);
    assert_eq!(world.json(["session", "show", "old-login"])[0]["source"], "web");
    // Two of one name.
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["session", "rename", "old-login", "fix-login"]);
    world.ok(["session", "delete", "fix-login"]);
    let ambiguous = world.run(["trash", "restore", "fix-login"]);
    assert!(ambiguous.code == 3 && ambiguous.err.matches("s-").count() == 2, "{ambiguous:?}");
    let none = world.run(["trash", "restore", "nope"]);
    assert!(none.code == 3 && none.err.contains("`aether trash list`"), "{none:?}");
}

#[test]
fn emptying_removes_rows_and_files_and_says_so_to_undo() {
    let world = World::with_web();
    let id = world.json(["session", "show", "fix-login"])[0]["id"].as_str().unwrap().to_owned();
    let delta = world.data().join("sessions").join(&id);
    fs::create_dir_all(delta.join("delta")).unwrap();
    world.ok(["session", "create", "stays", "--empty"]);
    world.ok(["session", "delete", "fix-login"]);
    let asked = world.run(["trash", "empty"]);
    assert!(asked.code == 5 && asked.err.contains("`--yes`") && delta.exists(), "{asked:?}");
    assert_eq!(world.run(["trash", "empty", "stays", "--yes"]).code, 3);
    world.ok(["trash", "empty", "--yes"]);
    assert!(trash(&world).is_empty() && !delta.exists());
    let events = world.json(["event", "list", "--type", "session.purge"]);
    assert_eq!(events.len(), 1);
    // Neither this nor what it took can be undone; what came before it and is there still can.
    for (operation, code) in [(None, 1), (Some("4"), 1), (Some("2"), 1), (Some("3"), 0)] {
        let ended = world.run(["undo"].into_iter().chain(operation));
        assert_eq!(ended.code, code, "{ended:?}");
    }
    let log = world.ok(["op", "show", "4"]);
    assert!(log.contains("removed from the trash"), "{log}");
    world.ok(["trash", "empty", "--yes", "-q"]);
    world.ok(["trash", "empty"]);
}

#[test]
fn a_source_that_sessions_came_from_stays_in_the_trash_with_them() {
    let world = World::with_web();
    world.ok(["source", "delete", "web", "--force"]);
    world.ok(["trash", "empty", "--yes"]);
    assert_eq!(trash(&world), [("source".into(), "web".into())]);
    assert_eq!(world.json(["session", "show", "fix-login"])[0]["source"], "web");
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["trash", "empty", "web", "--yes"]);
    assert_eq!(trash(&world).len(), 2);
    world.ok(["trash", "empty", "--yes"]);
    assert!(trash(&world).is_empty());
}
