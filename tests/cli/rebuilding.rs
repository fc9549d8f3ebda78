//! A catalog that was lost and is made anew: what has its name back.

use std::fs;

use serde_json::Value;

use super::World;

fn lose(world: &World) {
    fs::write(world.data().join("catalog.db"), "no catalog").unwrap();
    assert_ne!(world.run(["source", "list"]).code, 0);
}

/// What the commands say that the labels are for.
fn told(world: &World) -> Vec<Value> {
    let commands: [&[&str]; 11] = [
        &["source", "list"],
        &["source", "log", "site"],
        &["session", "list"],
        &["session", "show", "fix"],
        &["session", "show", "try"],
        &["status", "fix"],
        &["checkpoint", "list", "fix"],
        &["commit", "list"],
        &["trash", "list"],
        &["tag", "list", "fix"],
        &["policy", "show", "site"],
    ];
    commands.into_iter().flat_map(|command| world.json(command)).collect()
}

/// Revisions, a rename, a fork, a session in the trash, commits, checkpoints with names, and changes that were never stored.
fn busy() -> World {
    let world = World::with_web();
    world.ok(["run", "fix-login", "--", "sh", "-c", "echo one >>index.html"]);
    world.ok(["checkpoint", "create", "fix-login", "--name", "first", "-m", "Begun\n\nwith 'quotes' and größe"]);
    world.ok(["source", "rename", "web", "site"]);
    world.ok(["session", "rename", "fix-login", "fix"]);
    world.ok(["tag", "set", "fix", "task=42"]);
    fs::write(world.path("policy.toml"), "[actions.merge]\ngrants = 2\n").unwrap();
    world.ok(["policy", "set", "site", "--file", world.path("policy.toml").to_str().unwrap()]);
    world.ok(["commit", "create", "fix", "-m", "First", "--author", "bob"]);
    world.ok(["session", "fork", "fix", "try"]);
    world.ok(["run", "try", "--", "sh", "-c", "echo two >>index.html; mkdir lost"]);
    world.ok(["commit", "create", "try", "-m", "Second"]);
    fs::write(world.path("src/web/more"), "more").unwrap();
    world.ok(["source", "refresh", "site"]);
    world.ok(["session", "create", "gone", "--source", "site"]);
    world.ok(["session", "delete", "gone"]);
    world.ok(["checkpoint", "create", "fix"]);
    world.ok(["checkpoint", "delete", "fix@2"]);
    world.ok(["run", "fix", "--", "sh", "-c", "echo never stored >live"]);
    world
}

#[test]
fn all_have_their_names_back_and_sessions_what_was_never_stored() {
    let world = busy();
    let before = told(&world);
    lose(&world);
    let done = &world.json(["store", "rebuild"])[0];
    assert_eq!((&done["sources"], &done["damaged_labels"]), (&Value::Array(Vec::new()), &0.into()), "{done}");
    let counts = ["sources", "revisions", "sessions", "checkpoints", "commits"].map(|name| &done["restored"][name]);
    assert_eq!(counts, [1, 2, 3, 2, 2].map(Value::from).each_ref(), "{done}");
    let after = told(&world);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
    assert_eq!(world.ok(["cat", "fix:live"]), "never stored\n");
    assert_eq!(world.ok(["cat", "fix@first:index.html"]), "<p>hello</p>\none\n");
    // It is a catalog like any other, and can be lost again.
    world.ok(["run", "try", "--", "sh", "-c", "echo after >>index.html"]);
    world.ok(["checkpoint", "create", "try", "-m", "After"]);
    assert_eq!(world.json(["checkpoint", "list", "fix"])[0]["number"], 1);
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
    assert_ne!(world.run(["undo", "1"]).code, 0);
    lose(&world);
    world.ok(["store", "rebuild"]);
    assert_eq!(world.json(["checkpoint", "list", "try"])[0]["message"], "After");
    world.ok(["store", "gc", "--trash-days", "0"]);
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
    assert_eq!(world.ok(["cat", "fix:live"]), "never stored\n");
}

#[test]
fn labels_go_with_what_they_name_and_a_backup_has_its_own() {
    let world = busy();
    let labels = world.data().join("objects/labels");
    let text = |path: &std::path::Path| fs::read_to_string(path).unwrap();
    assert!(text(&labels).contains("tgone"));
    world.ok(["store", "backup", "copy"]);
    world.ok(["store", "gc", "--trash-days", "0"]);
    assert!(!text(&labels).contains("tgone") && text(&labels).contains("tfix"));
    let backup = world.path("copy/objects/labels");
    assert!(text(&backup).contains("tgone"));
    let in_backup = |args: &[&str]| super::end(world.aether(args).env("AETHER_HOME", world.path("copy")));
    for left in ["catalog.db", "catalog.proof"] {
        fs::remove_file(world.path("copy").join(left)).unwrap();
    }
    let done = in_backup(&["store", "rebuild", "--json"]);
    assert!(done.code == 0 && done.out.contains("\"sessions\":3"), "{done:?}");
    assert_eq!(in_backup(&["cat", "fix:live"]).out, "never stored\n");
    assert_eq!(in_backup(&["store", "verify", "--read-data"]).code, 0);
}

#[test]
fn damaged_labels_are_found_and_mended_and_cost_no_tree() {
    let world = busy();
    let labels = world.data().join("objects/labels");
    let whole = fs::read(&labels).unwrap();
    let at = whole.windows(5).position(|found| found == b"First").unwrap();
    let mut bytes = whole.clone();
    bytes[at] ^= 1;
    fs::write(&labels, &bytes).unwrap();
    let found = world.run(["store", "verify"]);
    assert!(found.code == 7 && found.out.contains("label"), "{found:?}");
    world.ok(["store", "repair"]);
    assert_eq!(world.run(["store", "verify"]).code, 0);

    // A torn line costs itself: its tree has no name, and is a source.
    let whole = fs::read(&labels).unwrap();
    let at = whole.windows(8).position(|found| found == b"\"outcome").unwrap();
    let mut bytes = whole.clone();
    bytes[at] ^= 1;
    fs::write(&labels, &bytes).unwrap();
    lose(&world);
    let ended = world.run(["store", "rebuild", "--json"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    let done: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(done["damaged_labels"], 1);
    assert!(!done["sources"].as_array().unwrap().is_empty(), "{done}");
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
}

#[test]
fn live_files_that_lie_on_a_tree_of_which_no_label_tells_are_put_aside() {
    let world = busy();
    let labels = world.data().join("objects/labels");
    let before = fs::read(&labels).unwrap();
    world.ok(["checkpoint", "create", "fix", "-m", "the labels of this are lost"]);
    world.ok(["run", "fix", "--", "sh", "-c", "echo later >later"]);
    fs::write(&labels, &before).unwrap();
    lose(&world);
    let ended = world.run(["store", "rebuild", "--json"]);
    let done: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &done["restored"]["behind"]), (7, &serde_json::json!(["fix"])), "{done}");
    assert_eq!(world.ok(["ls", "fix:"]), "index.html\nlib\n");
    // What it was before is a source, and the later files are kept.
    let named = done["sources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    assert!(named.into_iter().any(|name| world.ok(["ls", &format!("{name}:")]).contains("live")), "{done}");
    let kept = done["set_aside"].as_array().unwrap().iter().map(|path| path.as_str().unwrap());
    assert!(kept.into_iter().any(|path| path.contains("-sessions/s-")), "{done}");
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
}

#[test]
fn an_older_store_gets_its_labels_with_the_first_change() {
    let world = busy();
    let labels = world.data().join("objects/labels");
    fs::remove_file(&labels).unwrap();
    assert_eq!(world.run(["store", "verify"]).code, 0, "nothing is missing that was promised");
    world.ok(["tag", "set", "fix", "more=1"]);
    assert_eq!(world.run(["store", "verify"]).code, 0);
    let before = told(&world);
    lose(&world);
    assert_eq!(world.json(["store", "rebuild"])[0]["restored"]["commits"], 2);
    assert_eq!(before, told(&world));
    // Trees without a name can be had, too, while nobody collected them: here the first of two states for a backup.
    for line in ["one", "two"] {
        world.ok(["run", "fix", "--", "sh", "-c", &format!("echo {line} >>live")]);
        world.ok(["store", "backup", "copy"]);
    }
    lose(&world);
    let done = &world.json(["store", "rebuild"])[0];
    assert_eq!((&done["unnamed_trees"], &done["sources"]), (&1.into(), &Value::Array(Vec::new())), "{done}");
    let more = &world.json(["store", "rebuild", "--unnamed"])[0];
    assert_eq!(more["sources"], serde_json::json!(["recovered-1"]), "{more}");
    assert!(world.ok(["cat", "recovered-1:live"]).ends_with("one\n"));
    world.ok(["undo"]);
    assert_eq!(world.json(["source", "list"]).len(), 1);
}
