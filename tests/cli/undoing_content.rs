//! Undo of what changed the content of sessions, and of every other verb: trees and rows are what they were.

use serde_json::Value;

use super::World;

/// Two sessions that both changed things, with checkpoints.
fn changed() -> World {
    let world = World::with_web();
    world.ok(["session", "create", "blank", "--empty"]);
    world.ok(["session", "create", "other", "--source", "web"]);
    edit(&world, "fix-login", "echo one >one; mkdir out; echo built >out/a");
    world.ok(["checkpoint", "fix-login", "--name", "first"]);
    edit(&world, "fix-login", "echo two >two; rm lib/app.js; chmod +x one");
    edit(&world, "other", "echo theirs >index.html; echo x >x");
    world
}

fn edit(world: &World, session: &str, script: &str) {
    world.ok(["run", session, "--", "sh", "-ec", script]);
}

fn without(mut value: Value, names: &[&str]) -> Value {
    if let Some(object) = value.as_object_mut() {
        names.iter().for_each(|name| drop(object.remove(*name)));
    }
    value
}

/// All that anybody can see, but for times of change and the checkpoints that commands make by themselves.
fn state(world: &World) -> String {
    let mut all = String::new();
    let lists: [&[&str]; 8] = [
        &["session", "list"],
        &["source", "list"],
        &["commit", "list"],
        &["tag", "list"],
        &["checkpoint", "list", "--all"],
        &["source", "log", "web"],
        &["lock", "list"],
        &["conflict", "list", "fix-login"],
    ];
    for list in lists {
        let rows = world.run(list.iter().chain(&["--json"]));
        for line in rows.out.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            if row["kind"] != "auto" {
                all += &format!("{}\n", without(row, &["updated", "mounts", "newest"]));
            }
        }
    }
    for session in world.ok(["session", "list", "-q"]).lines() {
        all += &format!("{session}\n{}", world.ok(["diff", "blank", session, "--all"]));
    }
    all
}

#[test]
fn undo_of_every_verb_puts_back_what_was_there() {
    let world = changed();
    let verbs: [&[&str]; 21] = [
        &["restore", "fix-login@first"],
        &["restore", "fix-login@1", "--path", "lib"],
        &["merge", "other", "--into", "fix-login"],
        // While the source has no newer revision than the one that the session stands on.
        &["source", "promote", "web", "--from", "other"],
        &["update", "other"],
        &["commit", "other", "-m", "Other"],
        &["commit", "fix-login", "-m", "One"],
        &["fork", "fix-login", "third", "--tag", "a=b"],
        &["session", "create", "fourth", "--source", "web@1"],
        &["session", "rename", "other", "another"],
        &["session", "archive", "other"],
        &["session", "expire", "other", "3d"],
        &["session", "delete", "other", "--yes"],
        &["checkpoint", "create", "other"],
        &["checkpoint", "rename", "fix-login@1", "again"],
        &["checkpoint", "delete", "fix-login@1"],
        &["source", "rename", "web", "site"],
        &["source", "delete", "web", "--force"],
        &["source", "refresh", "web"],
        &["tag", "set", "other", "k=v"],
        &["source", "create", "empty", "--empty"],
    ];
    for verb in verbs {
        if verb.contains(&"refresh") || verb.contains(&"update") {
            world.sh("echo more >>src/web/lib/new");
            if verb.contains(&"update") {
                world.ok(["source", "refresh", "web"]);
            }
        }
        let before = state(&world);
        let done = world.run(verb);
        assert_eq!(done.code, 0, "{verb:?}: {done:?}");
        let after = state(&world);
        assert_ne!(after, before, "{verb:?} changed nothing");
        world.ok(["undo"]);
        assert_eq!(state(&world), before, "{verb:?} undone");
        world.ok(["redo"]);
        let again = state(&world);
        assert_eq!(again, after, "{verb:?} redone");
        world.ok(["undo"]);
        assert_eq!(state(&world), before, "{verb:?} undone again");
    }
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
}

#[test]
fn content_goes_back_twice_in_a_row_on_a_mount_too() {
    for mounted in [false, true] {
        let world = changed();
        if mounted {
            world.ok(["mount", "fix-login", "-q"]);
        }
        let first = state(&world);
        world.ok(["merge", "other", "--into", "fix-login"]);
        let second = state(&world);
        world.ok(["restore", "fix-login@first"]);
        let undone = &world.json(["undo"])[0];
        assert!(undone["kept"].as_str().unwrap().starts_with("fix-login@"), "{undone}");
        assert_eq!(state(&world), second, "mounted: {mounted}");
        world.ok(["undo"]);
        assert_eq!(state(&world), first, "mounted: {mounted}");
        world.ok(["redo"]);
        assert_eq!(state(&world), second, "mounted: {mounted}");
        world.ok(["undo"]);
        // What was written since is in the checkpoint that the undo names.
        world.ok(["restore", "fix-login@first"]);
        edit(&world, "fix-login", "echo since >since");
        let kept = world.json(["undo"])[0]["kept"].as_str().unwrap().to_owned();
        assert_eq!(world.ok(["cat", &format!("{kept}:since")]), "since\n");
        assert_eq!(state(&world), first, "mounted: {mounted}");
        if mounted {
            world.ok(["unmount", "fix-login"]);
        }
    }
}

#[test]
fn a_merge_with_conflicts_is_undone_with_its_conflicts() {
    let world = changed();
    edit(&world, "fix-login", "echo ours >index.html");
    let before = state(&world);
    assert_eq!(world.run(["merge", "other", "--into", "fix-login"]).code, 4);
    let conflicting = state(&world);
    world.ok(["-s", "fix-login", "conflict", "resolve", "index.html", "--theirs"]);
    world.ok(["undo"]);
    assert_eq!(state(&world), conflicting);
    world.ok(["undo"]);
    assert_eq!(state(&world), before);
    // Where it cannot be done it is said why.
    world.ok(["restore", "fix-login@first"]);
    let operation = world.json(["op", "log", "--limit", "1"])[0]["operation"].to_string();
    world.ok(["session", "delete", "fix-login", "--yes"]);
    let refused = world.run(["undo", &operation]);
    assert!(refused.code == 1 && refused.err.contains("is deleted"), "{refused:?}");
}
