//! Tags.

use super::World;

fn listed(world: &World, args: &[&str]) -> Vec<String> {
    world.ok(args.iter().chain(&["-q"])).lines().map(str::to_owned).collect()
}

#[test]
fn tags_filter_every_list() {
    let world = World::with_web();
    world.ok(["session", "create", "menu", "--empty", "--tag", "team=ui", "--tag", "task=7"]);
    world.ok(["source", "create", "blank", "--empty", "--tag", "team=ops"]);
    world.ok(["tag", "set", "fix-login", "team=ui", "task="]);
    assert_eq!(listed(&world, &["session", "list", "--tag", "team=ui"]), ["fix-login", "menu"]);
    assert_eq!(listed(&world, &["session", "list", "--tag", "team=ui", "--tag", "task=7"]), ["menu"]);
    assert_eq!(listed(&world, &["session", "list", "--tag", "task"]), ["fix-login", "menu"]);
    assert_eq!(listed(&world, &["source", "list", "--tag", "team"]), ["blank"]);
    assert_eq!(listed(&world, &["tag", "list", "--tag", "task=7"]), ["task=7", "team=ui"]);
    assert_eq!(world.json(["tag", "list", "blank"])[0]["kind"], "source");
    world.ok(["tag", "unset", "fix-login", "task", "team"]);
    assert_eq!(listed(&world, &["session", "list", "--tag", "team"]), ["menu"]);
    // All or none.
    assert_eq!(world.run(["tag", "unset", "menu", "task", "nope"]).code, 3);
    assert_eq!(listed(&world, &["tag", "list", "menu"]), ["task=7", "team=ui"]);
}

#[test]
fn setting_a_tag_is_an_operation_that_is_undone_and_setting_it_again_is_none() {
    let world = World::with_web();
    world.ok(["tag", "set", "fix-login", "team=ui"]);
    world.ok(["tag", "set", "fix-login", "team=ops"]);
    world.ok(["tag", "set", "fix-login", "team=ops"]);
    assert_eq!(world.json(["op", "log"]).len(), 4);
    world.ok(["undo"]);
    assert_eq!(listed(&world, &["tag", "list"]), ["team=ui"]);
    world.ok(["undo"]);
    assert!(listed(&world, &["tag", "list"]).is_empty());
    world.ok(["redo"]);
    assert_eq!(listed(&world, &["tag", "list"]), ["team=ui"]);
}

#[test]
fn a_name_that_a_session_and_a_source_have_is_told_apart() {
    let world = World::with_web();
    world.ok(["session", "create", "web", "--empty"]);
    let refused = world.run(["tag", "set", "web", "a=b"]);
    assert!(refused.code == 3 && refused.err.contains("--source"), "{refused:?}");
    world.ok(["tag", "set", "web", "a=b", "--source"]);
    assert_eq!(world.json(["source", "show", "web"])[0]["tags"]["a"], "b");
    let id = world.json(["session", "show", "web"])[0]["id"].as_str().unwrap().to_owned();
    world.ok(["tag", "set", &id, "c=d"]);
    assert_eq!(world.json(["session", "show", "web"])[0]["tags"]["c"], "d");
}

#[test]
fn tags_that_cannot_be_are_refused() {
    let world = World::with_web();
    let long = format!("k={}", "x".repeat(1001));
    for bad in ["novalue", "=v", "a b=c", "k=\u{1b}[31m", "k=two\nlines", "a/b=c", &long] {
        let ended = world.run(["tag", "set", "fix-login", bad]);
        assert_eq!(ended.code, 2, "{bad:?}: {ended:?}");
        assert!(!ended.err.contains('\u{1b}'), "{ended:?}");
    }
    assert_eq!(world.run(["session", "create", "--empty", "--tag", "x"]).code, 2);
    assert_eq!(world.run(["tag", "set", "nope", "a=b"]).code, 3);
    assert_eq!(world.run(["session", "list", "--tag", "a b"]).code, 2);
    world.ok(["tag", "set", "fix-login", "k=a=b; größe"]);
    assert_eq!(world.json(["tag", "list"])[0]["value"], "a=b; größe");
}
