//! Sources: imports, refresh, deletion.

use std::fs;
use std::os::unix::ffi::OsStringExt;

use super::World;

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
