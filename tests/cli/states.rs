//! Checkpoints and forks of sessions that are not mounted, and states looked into without a mount.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use super::{World, end};

fn data_of(world: &World, session: &str) -> Vec<String> {
    let id = world.json(["session", "show", session])[0]["id"].as_str().unwrap().to_owned();
    let dir = world.data().join("sessions").join(id);
    fs::read_dir(dir)
        .map_or_else(|_| Vec::new(), |dir| dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
}

#[test]
fn a_checkpoint_is_made_only_of_what_changed() {
    let world = World::with_web();
    assert_eq!(world.ok(["checkpoint", "fix-login", "--if-changed", "-q"]), "");
    assert_eq!(world.json(["checkpoint", "create", "fix-login", "--if-changed"]), [json!(null); 0]);
    let made = &world.json(["checkpoint", "create", "fix-login", "-m", "first\nmore", "--name", "one"])[0];
    assert_eq!(
        (&made["checkpoint"], &made["kind"], &made["files"]),
        (&json!("fix-login@1"), &json!("manual"), &json!(2))
    );
    assert_eq!(world.ok(["checkpoint", "fix-login", "--if-changed", "-q"]), "");
    for text in ["fix-login@1", "fix-login@one", made["id"].as_str().unwrap()] {
        assert_eq!(world.json(["checkpoint", "show", text])[0]["id"], made["id"], "{text}");
    }
    for (text, code) in [("fix-login@2", 3), ("nope@1", 3), ("web@1", 2), ("fix-login", 2), ("@1", 2)] {
        assert_eq!(world.run(["checkpoint", "show", text]).code, code, "{text}");
    }
    world.ok(["checkpoint", "rename", "fix-login@1", "uno"]);
    assert_eq!(world.run(["checkpoint", "create", "fix-login", "--name", "uno"]).code, 4);
    assert_eq!(world.run(["checkpoint", "create", "fix-login", "--name", "7"]).code, 2);
    assert_eq!(world.run(["checkpoint", "delete", "fix-login@1", "fix-login@9"]).code, 3);
    assert_eq!(world.ok(["checkpoint", "list", "fix-login", "-q"]), "fix-login@1\n");
    world.ok(["checkpoint", "delete", "fix-login@uno", "fix-login@1"]);
    assert_eq!(world.ok(["checkpoint", "list", "fix-login", "-q"]), "");
    world.ok(["checkpoint", "fix-login"]);
    assert_eq!(world.ok(["checkpoint", "list", "--all", "-q"]), "fix-login@2\n");
}

#[test]
fn a_number_alone_is_a_checkpoint_of_the_current_session() {
    let world = World::with_web();
    world.ok(["checkpoint", "fix-login"]);
    world.ok(["run", "fix-login", "--", "sh", "-c", "echo two >two"]);
    world.ok(["checkpoint", "fix-login"]);
    // A session of that name is no checkpoint; as a state to compare with it is meant.
    world.ok(["session", "create", "2", "--source", "web"]);
    world.ok(["-s", "fix-login", "checkpoint", "rename", "2", "second"]);
    let shown = &world.json(["-s", "fix-login", "checkpoint", "show", "2"])[0];
    assert_eq!((&shown["checkpoint"], &shown["name"]), (&json!("fix-login@2"), &json!("second")));
    let names = |args: &[&str]| world.ok([&["-s", "fix-login", "checkpoint", "diff", "--name-status"], args].concat());
    assert_eq!(names(&["2"]), "A\ttwo\n");
    assert_eq!(names(&["2", "2"]), "D\ttwo\n");
    world.ok(["session", "rename", "2", "other"]);
    assert_eq!((names(&["2", "2"]), names(&["1", "2"])), (String::new(), "A\ttwo\n".into()));
    world.ok(["-s", "fix-login", "restore", "1"]);
    assert_eq!(world.ok(["ls", "fix-login"]), "index.html\nlib\n");
    world.ok(["-s", "fix-login", "checkpoint", "delete", "1"]);
    for (text, code) in [("1", 3), ("01", 3), ("99999999999999999999", 3)] {
        assert_eq!(world.run(["-s", "fix-login", "restore", text]).code, code, "{text}");
    }
    let nowhere = world.run(["restore", "2"]);
    assert!(nowhere.code == 2 && nowhere.err.contains("session"), "{nowhere:?}");
}

#[test]
fn a_session_and_a_source_of_one_name_are_told_apart() {
    let world = World::with_web();
    world.ok(["session", "create", "web", "--source", "web"]);
    world.ok(["checkpoint", "web"]);
    let ended = world.run(["ls", "web@1"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.contains("(session)") && ended.err.contains("(source)"), "{}", ended.err);
    let id = world.json(["source", "show", "web"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.ok(["ls", &format!("{id}@1")]), "index.html\nlib\n");
    // A number that only one of them has is no question.
    world.ok(["checkpoint", "web"]);
    assert_eq!(world.ok(["ls", "web@2:lib"]), "app.js\n");
}

#[test]
fn any_state_can_be_read_without_a_mount() {
    let world = World::new();
    let src = world.path("src");
    fs::create_dir_all(src.join("dir")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"od\xffd\n");
    fs::write(src.join("dir").join(odd), b"\0\xff\x1b[31m").unwrap();
    fs::File::create(src.join("hole")).unwrap().set_len(3 << 20).unwrap();
    std::os::unix::fs::symlink("../dir", src.join("dir/round")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", src.join("out")).unwrap();
    world.ok(["source", "create", "s", src.to_str().unwrap()]);
    world.ok(["session", "create", "x", "--source", "s"]);
    world.ok(["checkpoint", "x"]);
    for state in ["s@1", "s", "x", "x@1"] {
        let mut what = std::ffi::OsString::from(format!("{state}:dir/round/./round/"));
        what.push(odd);
        let read = world.aether(["cat".as_ref(), what.as_os_str()]).output().unwrap();
        assert_eq!(read.stdout, b"\0\xff\x1b[31m", "{state}: {read:?}");
        assert_eq!(world.ok(["cat", &format!("{state}:hole")]), "\0".repeat(3 << 20));
        let listed = world.aether(["ls", &format!("{state}:dir")]).output().unwrap();
        assert_eq!(listed.stdout, b"od\xffd\n\nround\n");
        let shown = end(world.aether(["ls", "-l", &format!("{state}:dir")]).arg("--color=always"));
        assert!(shown.out.contains("\\n") && !shown.out.contains("d\n\n"), "{}", shown.out);
    }
    for (what, code) in [("x:out", 3), ("x:nope", 3), ("x:dir", 1), ("x:..", 2), ("nope:a", 3)] {
        assert_eq!(world.run(["cat", what]).code, code, "{what}");
    }
}

#[test]
fn forks_take_tags_along_and_stand_where_their_parent_stands() {
    let world = World::with_web();
    world.ok(["checkpoint", "fix-login", "-m", "begin"]);
    world.ok(["fork", "fix-login", "try", "--count", "2", "--tag", "round=1"]);
    world.ok(["fork", "try-1", "again", "--tag", "round=2"]);
    let fork = &world.json(["session", "show", "again"])[0];
    assert_eq!((&fork["tags"], &fork["parent_name"]), (&json!({"round": "2"}), &json!("try-1")));
    assert_eq!((&fork["source"], &fork["revision"]), (&json!("web"), &json!(1)));
    let from = &world.json(["fork", "--from", "fix-login@1"])[0];
    assert_eq!((&from["name"], &from["parent_checkpoint"]), (&json!("fix-login-2"), &json!(1)));
    assert_eq!(world.run(["fork", "try-1", "--from", "fix-login@1"]).code, 2);
    assert_eq!(world.run(["fork", "fix-login", "again"]).code, 4);
    // All or none.
    assert_eq!(world.run(["fork", "fix-login", "try", "--count", "3"]).code, 4);
    assert_eq!(world.ok(["session", "list", "-q"]), "again\nfix-login\nfix-login-2\ntry-1\ntry-2\n");
    // Nothing was opened, so nothing is there.
    assert!(data_of(&world, "fix-login").is_empty() && data_of(&world, "again").is_empty());
    let graph = world.ok(["session", "list", "--graph"]);
    assert_eq!(graph.lines().filter(|line| line.contains(" session, ")).count(), 5, "{graph}");
    assert!(graph.lines().last().unwrap().starts_with("● web@1"), "{graph}");
    // A fork that nobody changed may go; so may its parent.
    world.ok(["session", "delete", "again"]);
    world.ok(["session", "delete", "fix-login"]);
    assert_eq!(world.ok(["ls", "try-1:lib"]), "app.js\n");
}

#[test]
fn a_blank_session_can_be_kept_and_forked() {
    let world = World::new();
    world.ok(["session", "create", "blank", "--empty"]);
    world.ok(["fork", "blank", "other"]);
    world.ok(["checkpoint", "other"]);
    assert_eq!(world.ok(["checkpoint", "other", "--if-changed"]), "");
    assert_eq!(world.ok(["diff", "blank", "other@1"]), "");
    assert_eq!(world.ok(["ls", "other@1"]), "");
}
