//! Archived sessions, and those that expire.

use super::World;

fn skip() -> bool {
    std::env::var_os("AETHER_TEST_FUSE").is_some_and(|word| word == "skip")
}

fn state(world: &World, name: &str) -> (String, bool) {
    let shown = &world.json(["session", "show", name])[0];
    let id = shown["id"].as_str().unwrap();
    (shown["status"].as_str().unwrap().to_owned(), world.data().join("sessions").join(id).exists())
}

#[test]
fn an_archived_session_has_no_files_and_comes_back_as_it_was() {
    if skip() {
        return;
    }
    let world = World::with_web();
    world.ok(["run", "fix-login", "--", "sh", "-c", "echo more >> index.html; mkdir d; touch d/new"]);
    let before = world.ok(["diff", "fix-login"]);
    world.ok(["checkpoint", "create", "fix-login"]);
    world.ok(["mount", "fix-login"]);
    world.ok(["session", "archive", "fix-login"]);
    assert_eq!(state(&world, "fix-login"), ("archived".into(), false));
    for args in [
        &["mount", "fix-login"][..],
        &["run", "fix-login", "--", "true"],
        &["restore", "fix-login@1"],
        &["update", "fix-login"],
        &["merge", "web@1", "--into", "fix-login"],
    ] {
        let refused = world.run(args);
        assert!(refused.code == 5 && refused.err.contains("`aether session activate fix-login`"), "{refused:?}");
    }
    assert_eq!(world.ok(["session", "list", "--status", "archived", "-q"]), "fix-login\n");
    assert_eq!(world.run(["session", "list", "--status", "gone"]).code, 2);
    world.ok(["session", "archive", "fix-login"]);
    world.ok(["session", "activate", "fix-login"]);
    assert_eq!(world.ok(["diff", "fix-login"]), before);
    world.ok(["run", "fix-login", "--", "sh", "-c", "test -e d/new && echo again >> index.html"]);
    // Undo: active before the archive, archived before the activation, with what was written in between.
    world.ok(["undo"]);
    assert_eq!(state(&world, "fix-login"), ("archived".into(), false));
    world.ok(["undo"]);
    assert_eq!(state(&world, "fix-login").0, "active");
    assert_eq!(world.ok(["run", "fix-login", "--", "tail", "-n", "1", "index.html"]), "again\n");
}

#[test]
fn a_mount_in_use_is_not_archived_below_its_users() {
    if skip() {
        return;
    }
    let world = World::with_web();
    let place = world.ok(["mount", "fix-login"]).trim().to_owned();
    let mut user = world.command("sleep").arg("60").current_dir(&place).spawn().unwrap();
    let busy = world.run(["session", "archive", "fix-login"]);
    user.kill().unwrap();
    user.wait().unwrap();
    assert_eq!(busy.code, 6, "{busy:?}");
    assert_eq!(state(&world, "fix-login").0, "active");
    world.ok(["session", "archive", "fix-login"]);
    assert_eq!(state(&world, "fix-login").0, "archived");
}

#[test]
fn a_session_whose_time_is_over_is_archived_and_then_goes_to_the_trash() {
    let world = World::with_web();
    world.ok(["session", "create", "soon", "--source", "web", "--expires", "1s"]);
    world.ok(["session", "create", "later", "--empty", "--expires", "7d"]);
    let list = world.ok(["session", "list"]);
    assert!(list.contains("active, expires in 7 days"), "{list}");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let done = &world.json(["session", "expire", "--due"])[0];
    assert_eq!((&done["archived"][0], &done["trashed"]), (&"soon".into(), &serde_json::json!([])));
    assert_eq!(state(&world, "soon"), ("archived".into(), false));
    assert_eq!(state(&world, "later").0, "active");
    // Brought back, it stays.
    world.ok(["session", "activate", "soon"]);
    assert!(world.json(["session", "expire", "--due"])[0]["archived"].as_array().unwrap().is_empty());
    world.ok(["undo"]);
    let mut command = world.aether(["store", "gc"]);
    let ended = super::end(command.env("AETHER_RETENTION_EXPIRED_DAYS", "0"));
    assert!(ended.code == 0 && ended.err.contains("Moved session soon to the trash"), "{ended:?}");
    world.ok(["trash", "restore", "soon"]);
    world.ok(["session", "expire", "soon", "never"]);
    assert!(world.json(["session", "show", "soon"])[0]["expires"].is_null());
    for bad in ["", "7", "-1d", "soon"] {
        assert_eq!(world.run(["session", "expire", "soon", bad]).code, 2, "{bad}");
    }
}
