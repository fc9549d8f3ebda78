//! Locks.

use std::process::{Child, Stdio};

use super::World;

fn acquire(world: &World, actor: &str, pattern: &str) -> Result<String, String> {
    let ended = world.run(["-s", "fix-login", "lock", "acquire", pattern, "--as", actor]);
    match ended.code {
        0 => Ok(ended.out.trim().to_owned()),
        5 => Err(ended.err),
        _ => panic!("{ended:?}"),
    }
}

#[test]
fn a_lock_keeps_others_from_what_it_covers_until_it_is_released() {
    let world = World::with_web();
    let token = acquire(&world, "ann", "lib").unwrap();
    for taken in ["lib", "lib/app.js", "**/*.js", "/lib/", "l?b", "."] {
        let refused = acquire(&world, "bob", taken).unwrap_err();
        assert!(refused.contains("ann") && refused.contains("/lib"), "{refused}");
    }
    assert!(acquire(&world, "ann", "lib/app.js").is_err(), "nor can the holder have it twice");
    let other = acquire(&world, "bob", "*.html").unwrap();
    assert_eq!(world.ok(["lock", "list", "-q"]), "/lib\n/*.html\n");
    assert_eq!(world.json(["lock", "list", "web"])[0]["actor"], "ann");
    assert!(!world.ok(["lock", "list", "--json"]).contains(&token), "a token is for those who have it");
    world.ok(["lock", "release", &token]);
    assert_eq!(world.run(["lock", "release", &token]).code, 4);
    acquire(&world, "bob", "lib/app.js").unwrap();
    world.ok(["lock", "release", &other]);
}

#[test]
fn a_lock_holds_in_every_session_of_its_source_and_in_no_other() {
    let world = World::with_web();
    world.ok(["session", "create", "second", "--source", "web"]);
    world.ok(["source", "create", "other", world.path("src/web").to_str().unwrap()]);
    world.ok(["session", "create", "third", "--source", "other"]);
    world.ok(["session", "create", "blank", "--empty"]);
    acquire(&world, "ann", "lib").unwrap();
    assert_eq!(world.run(["-s", "second", "lock", "acquire", "lib", "--as", "bob"]).code, 5);
    world.ok(["-s", "third", "lock", "acquire", "lib", "--as", "bob"]);
    assert_eq!(world.run(["-s", "blank", "lock", "acquire", "lib"]).code, 1);
}

#[test]
fn a_lock_expires_unless_it_is_renewed_and_can_be_taken_away_with_a_reason() {
    let world = World::with_web();
    let lock = ["-s", "fix-login", "lock"];
    let short = world.ok(lock.iter().chain(&["acquire", "lib", "--ttl", "300ms"]));
    world.ok(["lock", "renew", short.trim(), "--ttl", "1h"]);
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert!(acquire(&world, "bob", "lib").is_err());
    world.ok(["lock", "renew", short.trim(), "--ttl", "1ms"]);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let kept = acquire(&world, "bob", "lib").unwrap();
    assert_eq!(world.run(["lock", "renew", short.trim()]).code, 4);
    assert_eq!(world.run(lock.iter().chain(&["break", "lib"])).code, 2, "a reason is wanted");
    world.ok(lock.iter().chain(&["break", "lib", "--reason", "away\u{1b}[31m", "--as", "cleo"]));
    assert_eq!(world.run(["lock", "renew", &kept]).code, 4);
    let last = &world.json(["event", "list", "--type", "lock.*", "-n", "1"])[0];
    assert_eq!(
        (&last["type"], &last["actor"], &last["details"]["holder"]),
        (&"lock.break".into(), &"cleo".into(), &"bob".into())
    );
    assert!(!world.ok(["event", "list"]).contains('\u{1b}'));
    assert_eq!(world.run(lock.iter().chain(&["break", "lib", "--reason", "x"])).code, 3);
    assert_eq!(world.run(lock.iter().chain(&["acquire", "../x"])).code, 2);
    assert_eq!(world.run(lock.iter().chain(&["acquire", "lib", "--ttl", "31d"])).code, 2);
    assert_eq!(world.run(lock.iter().chain(&["acquire", &"x/".repeat(3000)])).code, 2);
}

#[test]
fn of_many_that_want_one_path_exactly_one_gets_it() {
    let world = World::with_web();
    for pattern in ["lib", "*.html"] {
        let start = |at: usize| {
            let actor = format!("a{at}");
            let mut command = world.aether(["-s", "fix-login", "lock", "acquire", pattern, "--as", &actor]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<Child> = (0..12).map(start).collect();
        let mut codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [[0].as_slice(), &[5; 11]].concat());
    }
    assert_eq!(world.json(["lock", "list"]).len(), 2);
}

#[test]
fn a_merge_does_not_touch_what_somebody_else_holds() {
    let world = World::with_web();
    world.ok(["session", "create", "login-bug", "--source", "web"]);
    world.ok(["run", "login-bug", "--", "sh", "-c", "echo new >lib/app.js"]);
    acquire(&world, "bob", "lib").unwrap();
    let merge = ["merge", "login-bug", "--into", "fix-login"];
    let refused = world.run(merge);
    assert!(refused.code == 5 && refused.err.contains("bob") && refused.err.contains("/lib/app.js"), "{refused:?}");
    assert_eq!(world.ok(["cat", "fix-login:lib/app.js"]), "go();\n");
    assert!(world.json(["checkpoint", "list", "fix-login"]).is_empty(), "nothing was begun");
    world.ok(merge.iter().chain(&["--as", "bob"]));
    assert_eq!(world.ok(["cat", "fix-login:lib/app.js"]), "new\n");
}

/// A session with two changed files, and bob's lock on one of them.
fn held_by_bob() -> (World, String) {
    let world = World::with_web();
    world.ok(["run", "fix-login", "--", "sh", "-c", "echo new >lib/app.js; echo free >index.html"]);
    let token = acquire(&world, "bob", "**/*.js").unwrap();
    (world, token)
}

fn refused_for_bob<'a>(world: &World, command: impl IntoIterator<Item = &'a str>) {
    let refused = world.run(command);
    assert!(refused.code == 5 && refused.err.contains("bob") && refused.err.contains("/lib/app.js"), "{refused:?}");
}

#[test]
fn an_apply_does_not_touch_what_somebody_else_holds() {
    let (world, token) = held_by_bob();
    let read = |path: &str| std::fs::read_to_string(world.path("src/web").join(path)).unwrap();
    let html = read("index.html");
    refused_for_bob(&world, ["session", "apply", "fix-login"]);
    refused_for_bob(&world, ["session", "apply", "fix-login", "--path", "lib"]);
    assert_eq!((read("lib/app.js"), read("index.html")), ("go();\n".into(), html), "nothing was begun");
    world.ok(["session", "apply", "fix-login", "--path", "index.html"]);
    assert_eq!((read("lib/app.js"), read("index.html")), ("go();\n".into(), "free\n".into()));
    world.ok(["session", "apply", "fix-login", "--path", "lib", "--as", "bob"]);
    assert_eq!(read("lib/app.js"), "new\n");
    world.ok(["lock", "release", &token]);
    world.ok(["session", "apply", "fix-login"]);
}

#[test]
fn a_promotion_does_not_touch_what_somebody_else_holds_and_a_commit_touches_nothing() {
    let (world, token) = held_by_bob();
    let newest = || world.json(["source", "show", "web"])[0]["newest"]["number"].clone();
    world.ok(["commit", "fix-login", "-m", "New"]);
    let commit = world.ok(["commit", "list", "-q"]);
    refused_for_bob(&world, ["source", "promote", "web", "--from", "fix-login"]);
    refused_for_bob(&world, ["source", "promote", "web", "--from", commit.trim()]);
    assert_eq!(newest(), 1);
    world.ok(["lock", "release", &token]);
    acquire(&world, "bob", "docs").unwrap();
    world.ok(["source", "promote", "web", "--from", "fix-login"]);
    assert_eq!(newest(), 2, "a lock on another path is in nobody's way");
}

#[test]
fn a_lock_is_not_undone() {
    let (world, _) = held_by_bob();
    let undone = &world.json(["undo"])[0];
    assert!(undone["command"].as_str().unwrap().starts_with("session create"), "{undone}");
    assert_eq!(world.ok(["lock", "list", "-q"]), "/**/*.js\n");
}

#[test]
fn whoever_waits_for_a_lock_gets_it_when_it_is_let_go_of_or_runs_out() {
    let world = World::with_web();
    let token = world.ok(["-s", "fix-login", "lock", "acquire", "index.html", "-q"]);
    let waiting = ["-s", "fix-login", "lock", "acquire", "index.html", "--ttl", "1s", "-q", "--wait"];
    assert_eq!(world.run(waiting.iter().chain(&["100ms"])).code, 6);
    let began = std::time::Instant::now();
    let child = world.aether(waiting).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    world.ok(["lock", "release", token.trim_end()]);
    assert!(child.wait_with_output().unwrap().status.success());
    // That one ends by itself.
    world.ok(waiting);
    assert!(began.elapsed() < std::time::Duration::from_secs(60));
}
