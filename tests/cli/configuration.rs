//! The configuration, seen from outside.

use std::fs;

use super::{World, end};

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let world = World::new();
    fs::create_dir_all(world.path(".config/aether")).unwrap();
    fs::write(world.path(".config/aether/config.toml"), "[ui]\ncolour = \"never\"\n").unwrap();
    let ended = world.run(["session", "list"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("config.toml") && ended.err.contains("`ui.colour`"), "{ended:?}");
}

#[test]
fn a_file_that_is_no_toml_is_one_sentence_with_the_line() {
    let world = World::new();
    fs::create_dir_all(world.path(".config/aether")).unwrap();
    fs::write(world.path(".config/aether/config.toml"), "[ui]\ncolor\n").unwrap();
    let ended = world.run(["session", "list"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("line 2: ") && !ended.err.contains("\\n"), "{ended:?}");
    assert!(ended.err.contains("hint: mend that line"), "{ended:?}");
}

#[test]
fn the_origin_of_a_value_is_shown() {
    let world = World::new();
    fs::create_dir_all(world.path(".config/aether")).unwrap();
    fs::write(world.path(".config/aether/config.toml"), "[user]\nname = \"Zoe\"\n[mount]\nthreads = 2\n").unwrap();
    let mut command = world.aether(["config", "show", "--origin", "--json"]);
    let ended = end(command.env("AETHER_MOUNT_THREADS", "3"));
    let line = |key: &str| ended.out.lines().find(|line| line.contains(key)).unwrap().to_owned();
    assert!(line("mount.threads").contains(r#""value":"3","origin":"AETHER_MOUNT_THREADS""#), "{ended:?}");
    assert!(line("user.name").contains("config.toml"), "{ended:?}");
    assert!(line("ui.color").contains("the default"), "{ended:?}");
    world.ok(["session", "create", "mine", "--empty"]);
    assert_eq!(world.json(["session", "show", "mine"])[0]["actor"], "Zoe");
    let mut command = world.aether(["session", "create", "hers", "--empty", "--as", "bot"]);
    assert_eq!(end(command.env("AETHER_ACTOR", "other")).code, 0);
    assert_eq!(world.json(["session", "show", "hers"])[0]["actor"], "bot");
}
