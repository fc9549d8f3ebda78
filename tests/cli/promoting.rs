//! Promoting what came of sessions to revisions of their source.

use std::fs;

use serde_json::json;

use super::World;

fn edit(world: &World, session: &str, script: &str) {
    world.ok(["run", session, "--", "sh", "-ec", script]);
}

fn newest(world: &World) -> serde_json::Value {
    world.json(["source", "show", "web"])[0]["newest"].clone()
}

#[test]
fn tracked_changes_become_the_next_revision_and_others_stay_where_they_are() {
    let world = World::with_web();
    fs::write(world.path("src/web/.gitignore"), "out\n").unwrap();
    world.ok(["source", "refresh", "web"]);
    world.ok(["update", "fix-login"]);
    world.ok(["session", "create", "stays", "--source", "web"]);
    edit(&world, "fix-login", "echo more >>lib/app.js; echo built >out");
    let patch = world.ok(["diff", "fix-login"]);
    assert_eq!(world.json(["source", "promote", "web", "--from", "fix-login"])[0]["newest"]["number"], 3);
    assert_eq!(world.ok(["diff", "web@2", "web@3", "--all"]), patch, "no scratch");
    assert_eq!(world.ok(["ls", "stays"]), "index.html\nlib\n".replace("index", ".gitignore\nindex"));
    assert_eq!(world.json(["session", "show", "stays"])[0]["revision"], 2);
    let session = world.json(["session", "show", "fix-login"])[0]["id"].clone();
    assert_eq!(newest(&world)["promoted_from"], session);

    // Both stand on revision 2.
    for from in ["stays", "fix-login"] {
        let behind = world.run(["source", "promote", "web", "--from", from]);
        assert_eq!(behind.code, 4, "{behind:?}");
        assert!(behind.err.contains("web@3") && behind.err.contains("aether update"), "{}", behind.err);
    }
    world.ok(["update", "fix-login"]);
    let nothing = world.ok(["source", "promote", "web", "--from", "fix-login"]);
    assert!(nothing.starts_with("Nothing changed"), "{nothing}");
    world.ok(["source", "promote", "web", "--from", "fix-login", "--with-scratch"]);
    assert_eq!(world.ok(["cat", "web@4:out"]), "built\n");

    // The directory was not touched, so there is nothing to import.
    let refreshed = world.ok(["source", "refresh", "web"]);
    assert!(refreshed.starts_with("Nothing changed"), "{refreshed}");
    world.ok(["undo"]);
    assert_eq!(newest(&world)["number"], 3);
    world.ok(["redo"]);
    assert_eq!(newest(&world)["number"], 4);
    assert_eq!(world.run(["store", "verify"]).code, 0);
}

#[test]
fn a_commit_is_promoted_when_nothing_came_in_between() {
    let world = World::with_web();
    edit(&world, "fix-login", "echo one >one");
    let first = world.ok(["commit", "fix-login", "-m", "One", "-q"]).trim().to_owned();
    edit(&world, "fix-login", "echo two >two");
    let second = world.ok(["commit", "fix-login", "-m", "Two", "-q"]).trim().to_owned();
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["source", "promote", "web", "--from", &first]);
    assert_eq!(newest(&world)["promoted_from"], json!(first));
    assert_eq!(world.ok(["diff", "web@2", &first]), "");
    let behind = world.run(["source", "promote", "web", "--from", &second]);
    assert_eq!(behind.code, 4, "{behind:?}");
    world.ok(["session", "create", "next", "--commit", &second]);
    world.ok(["update", "next"]);
    world.ok(["source", "promote", "web", "--from", "next"]);
    assert_eq!(world.ok(["ls", "web@3"]), "index.html\nlib\none\ntwo\n");
}

#[test]
fn what_cannot_be_promoted_is_refused() {
    let world = World::with_web();
    world.ok(["session", "create", "blank", "--empty"]);
    world.ok(["session", "create", "other", "--source", "web"]);
    world.ok(["checkpoint", "fix-login"]);
    edit(&world, "other", "echo theirs >lib/app.js");
    edit(&world, "fix-login", "echo ours >lib/app.js");
    let commit = world.ok(["commit", "other", "-m", "Theirs", "-q"]).trim().to_owned();
    for (from, more, code) in [
        ("blank", None, 2),
        ("fix-login@1", None, 2),
        ("web@1", None, 2),
        ("nope", None, 3),
        (commit.as_str(), Some("--with-scratch"), 2),
    ] {
        let ended = world.run(["source", "promote", "web", "--from", from].into_iter().chain(more));
        assert_eq!(ended.code, code, "{from}: {ended:?}");
    }
    assert_eq!(world.run(["merge", "other", "--into", "fix-login"]).code, 4);
    let conflict = world.run(["source", "promote", "web", "--from", "fix-login"]);
    assert_eq!(conflict.code, 4, "{conflict:?}");
    assert!(conflict.err.contains("conflicts"), "{}", conflict.err);
    assert_eq!(newest(&world)["number"], 1);
}
