//! Names, ids, prefixes, and `@`.

use super::World;

#[test]
fn a_session_is_found_by_name_id_and_prefix() {
    let world = World::with_web();
    let shown = &world.json(["session", "show", "fix-login"])[0];
    let id = shown["id"].as_str().unwrap();
    assert!(id.starts_with("s-"));
    for key in [id, &id[..8]] {
        assert_eq!(world.json(["session", "show", key])[0]["name"], "fix-login");
    }
    assert_eq!(world.run(["session", "show", &id[..2]]).code, 3);
    assert_eq!(world.run(["session", "show", "fix-log"]).code, 3);
}

#[test]
fn an_ambiguous_prefix_lists_the_candidates() {
    let world = World::new();
    // 33 ids share at most 32 first characters.
    for _ in 0..33 {
        world.ok(["session", "create", "--empty"]);
    }
    let ids: Vec<String> =
        world.json(["session", "list"]).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    let shared = ids.iter().find(|id| ids.iter().filter(|other| other[..3] == id[..3]).count() > 1).unwrap();
    let ended = world.run(["session", "show", &shared[..3]]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains(shared.as_str()), "{}", ended.err);
    assert!(ended.err.contains("hint:"), "{}", ended.err);
}

#[test]
fn names_that_cannot_be_are_refused_and_shown_harmlessly() {
    let world = World::new();
    for bad in ["a b", "web@1", "a/b", ".x", "", "s-0123456789", "a\u{1b}[31mred", "two\nlines"] {
        let ended = world.run(["session", "create", "--empty", "--", bad]);
        assert_eq!(ended.code, 2, "{bad:?}: {ended:?}");
        assert!(!ended.err.contains('\u{1b}'), "{ended:?}");
        let lines: Vec<_> = ended.err.lines().collect();
        assert!(lines.len() == 2 && lines[0].starts_with("error: ") && lines[1].starts_with("hint: "), "{ended:?}");
    }
    for odd in ["');DROP-TABLE-session;--", "größe", "日本", "50%_"] {
        world.ok(["session", "create", odd, "--empty"]);
        assert_eq!(world.json(["session", "show", odd])[0]["name"], odd);
    }
    // `%` and `_` mean something in SQL and nothing here.
    assert_eq!(world.run(["session", "show", "50%"]).code, 3);
}

#[test]
fn a_name_is_unique_until_its_object_is_deleted() {
    let world = World::with_web();
    let again = world.run(["session", "create", "fix-login", "--empty"]);
    assert_eq!(again.code, 4, "{again:?}");
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["session", "create", "fix-login", "--empty"]);
    // A source may have the name of a session.
    world.ok(["source", "create", "fix-login", "--empty"]);
}

#[test]
fn a_session_without_a_name_gets_one_that_is_printed() {
    let world = World::with_web();
    let name = world.ok(["session", "create", "--source", "web", "-q"]);
    assert_eq!(world.json(["session", "show", name.trim()])[0]["source"], "web");
}

#[test]
fn the_current_session_comes_from_the_environment_or_the_directory() {
    let world = World::with_web();
    let nothing = world.run(["session", "show"]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    assert!(nothing.err.contains("AETHER_SESSION"), "{nothing:?}");
    for args in [vec!["session", "show"], vec!["session", "show", "@"]] {
        let ended = super::end(world.aether(args).env("AETHER_SESSION", "fix-login"));
        assert!(ended.code == 0 && ended.out.contains("fix-login"), "{ended:?}");
    }
}

#[test]
fn a_revision_is_named_by_its_number() {
    let world = World::with_web();
    let created = &world.json(["session", "create", "old", "--source", "web@1"])[0];
    assert_eq!((created["source"].as_str(), created["revision"].as_u64()), (Some("web"), Some(1)));
    for (base, code) in [("web@2", 3), ("web@0", 2), ("web@x", 2), ("web@01", 2), ("nope@1", 3)] {
        assert_eq!(world.run(["session", "create", "--source", base]).code, code, "{base}");
    }
}
