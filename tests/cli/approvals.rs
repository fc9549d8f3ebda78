//! Approvals: what is asked and answered, and what it lets happen. Sessions are mounted to change them, which needs FUSE;
//! `AETHER_TEST_FUSE=skip` leaves these tests out.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{World, end};

/// The source `web`, the session `fix-login` with a change, and `trunk` to merge it into.
fn world() -> Option<World> {
    let skip = std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip");
    (!skip).then(|| {
        let world = World::with_web();
        world.ok(["session", "create", "trunk", "--source", "web"]);
        within(&world, "echo one >lib/app.js; echo '*.o' >.gitignore");
        world
    })
}

fn within(world: &World, script: &str) {
    world.ok(["session", "run", "fix-login", "--", "sh", "-ec", script]);
}

fn ask(world: &World, args: &[&str]) -> String {
    let asked = world.ok(["-s", "fix-login", "approval", "request", "-q"].iter().chain(args));
    asked.trim().to_owned()
}

fn show(world: &World, key: &str) -> Value {
    world.json(["approval", "show", key]).remove(0)
}

fn status(world: &World) -> String {
    world.json(["session", "show", "fix-login"])[0]["status"].as_str().unwrap().to_owned()
}

/// How a merge of `fix-login` elsewhere ends: its code, and the word for why.
fn merge(world: &World) -> (i32, String) {
    let ended = end(&mut world.aether(["merge", "fix-login", "--into", "trunk", "--json"]));
    let why: Value = serde_json::from_str(&ended.err).unwrap_or_default();
    (ended.code, why["code"].as_str().unwrap_or_default().to_owned())
}

fn as_(world: &World, actor: &str, args: &[&str]) -> i32 {
    world.run(args.iter().copied().chain(["--as", actor])).code
}

#[test]
fn what_is_asked_about_waits_for_the_answer() {
    let Some(ref world) = world() else { return };
    let id = ask(world, &["merge", "-m", "fixes it", "--details", r#"{"ticket": 7}"#]);
    assert_eq!(status(world), "pending-approval");
    assert_eq!(merge(world), (5, "approval-pending".into()));
    let shown = show(world, &id);
    assert_eq!((&shown["state"], &shown["content"]), (&json!("pending"), &json!("current")));
    assert_eq!((&shown["reason"], &shown["details"]), (&json!("fixes it"), &json!({ "ticket": 7 })));
    let paths: Vec<_> = shown["changes"].as_array().unwrap().iter().map(|change| &change["path"]).collect();
    assert_eq!(paths, [".gitignore", "lib/app.js"]);
    assert_eq!(as_(world, "bob", &["approval", "grant", &id, "-m", "good"]), 0);
    assert_eq!((status(world).as_str(), show(world, &id)["state"].as_str()), ("active", Some("granted")));
    assert_eq!(merge(world), (0, String::new()));
    let answer = &show(world, &id)["answers"][0];
    assert_eq!(
        (&answer["verdict"], &answer["actor"], &answer["message"]),
        (&json!("grant"), &json!("bob"), &json!("good"))
    );
    for verb in ["grant", "deny", "cancel"] {
        assert_eq!(as_(world, "eve", &["approval", verb, &id]), 4, "it was decided");
    }
}

#[test]
fn a_no_holds_for_this_content_and_no_other() {
    let Some(ref world) = world() else { return };
    let id = ask(world, &["merge"]);
    assert_eq!(as_(world, "bob", &["approval", "deny", &id, "-m", "no tests"]), 0);
    assert_eq!(world.run(["approval", "wait", &id]).code, 5);
    assert_eq!((merge(world), status(world).as_str()), ((5, "denied".into()), "active"));
    within(world, "echo two >lib/app.js");
    assert_eq!(merge(world).0, 0, "nobody said anything of that");
    within(world, "echo one >lib/app.js");
    assert_eq!(merge(world), (5, "denied".into()));
    let id = ask(world, &["merge"]);
    assert_eq!(as_(world, "bob", &["approval", "grant", &id]), 0);
    assert_eq!(merge(world).0, 0, "the last word counts");
}

#[test]
fn a_grant_is_stale_while_tracked_content_differs_and_for_no_other_reason() {
    let Some(ref world) = world() else { return };
    let id = ask(world, &["commit"]);
    assert_eq!(as_(world, "bob", &["approval", "grant", &id]), 0);
    let before = show(world, &id)["change_set"].clone();
    for (script, state) in [
        ("touch -d 2001-02-03 lib/app.js; echo scratch >x.o; mkdir -p .git; echo x >.git/x", "granted"),
        ("chmod +x lib/app.js", "stale"),
        ("chmod -x lib/app.js", "granted"),
        ("echo two >lib/app.js", "stale"),
        ("rm lib/app.js; echo one >lib/app.js", "granted"),
        ("mkdir empty", "stale"),
        ("rmdir empty; mv lib gone", "stale"),
        ("mv gone lib", "granted"),
    ] {
        within(world, script);
        assert_eq!(show(world, &id)["state"], state, "after `{script}`");
        let code = world.run(["approval", "wait", &id]).code;
        assert_eq!(code, if state == "stale" { 4 } else { 0 }, "after `{script}`");
    }
    within(world, "rm -r lib");
    assert_eq!(show(world, &id)["change_set"], before);
    let patch = world.ok(["approval", "diff", &id]);
    assert!(patch.contains("-go();\n+one\n"), "what was decided about can still be seen: {patch}");
    world.ok(["session", "delete", "fix-login", "--yes"]);
    world.ok(["trash", "empty", "--yes"]);
    world.ok(["store", "gc"]);
    assert_eq!(show(world, &id)["content"], "gone");
    assert_eq!(world.ok(["approval", "diff", &id]), patch, "also when the session is gone for good");
}

#[test]
fn several_grants_come_from_different_actors() {
    let Some(ref world) = world() else { return };
    let id = ask(world, &["merge", "--grants", "2"]);
    assert_eq!(as_(world, "bob", &["approval", "grant", &id]), 0);
    assert_eq!(merge(world), (5, "approval-pending".into()));
    assert_eq!(as_(world, "bob", &["approval", "grant", &id]), 4);
    assert_eq!(as_(world, "eve", &["approval", "grant", "fix-login"]), 0);
    assert_eq!(merge(world).0, 0);
}

#[test]
fn nobody_decides_in_time() {
    let Some(ref world) = world() else { return };
    let id = ask(world, &["merge", "--expires", "1s"]);
    let began = Instant::now();
    assert_eq!(world.run(["approval", "wait", &id]).code, 4);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((status(world).as_str(), show(world, &id)["state"].as_str()), ("active", Some("expired")));
    assert_eq!(as_(world, "bob", &["approval", "grant", &id]), 4);
    assert_eq!(merge(world).0, 0);
}

#[test]
fn asking_again_takes_back_what_was_asked_about_something_else() {
    let Some(ref world) = world() else { return };
    let first = ask(world, &["merge"]);
    assert_eq!(world.run(["-s", "fix-login", "approval", "request", "merge"]).code, 4, "it is asked already");
    within(world, "echo two >lib/app.js");
    let second = ask(world, &["merge"]);
    assert_eq!(show(world, &first)["state"], "cancelled");
    assert_eq!(world.json(["approval", "list", "--state", "pending"])[0]["id"], *second);
    world.ok(["approval", "cancel", "fix-login"]);
    assert_eq!((status(world).as_str(), merge(world).0), ("active", 0));
}

#[test]
fn a_review_holds_the_work_back_until_a_decision() {
    let Some(ref world) = world() else { return };
    world.ok(["session", "review", "fix-login", "-m", "look at this"]);
    assert_eq!((status(world).as_str(), merge(world)), ("review", (5, "in-review".into())));
    let other = ask(world, &["merge"]);
    assert_eq!(status(world), "review");
    assert_eq!(as_(world, "bob", &["approval", "deny", &other]), 0);
    let review = world.json(["approval", "list", "--state", "pending"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(as_(world, "bob", &["approval", "grant", &review]), 0);
    assert_eq!((status(world).as_str(), merge(world)), ("active", (5, "denied".into())));
}

#[test]
fn whoever_waits_hears_of_the_decision_at_once_and_gives_up_in_time() {
    let Some(ref world) = world() else { return };
    let id = ask(world, &["merge"]);
    let began = Instant::now();
    assert_eq!(world.run(["approval", "wait", &id, "--timeout", "300ms"]).code, 6);
    assert!((Duration::from_millis(300)..Duration::from_secs(2)).contains(&began.elapsed()));
    let waiting = world.aether(["approval", "wait", &id, "-q"]).stdout(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    let told = Instant::now();
    assert_eq!(as_(world, "bob", &["approval", "grant", &id]), 0);
    let output = waiting.wait_with_output().unwrap();
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"granted\n"[..]));
}

#[test]
fn a_frozen_session_cannot_be_changed_until_the_decision() {
    let Some(ref world) = world() else { return };
    let mount = || {
        let mounted = world.json(["session", "mount", "fix-login"]).remove(0);
        (mounted["path"].as_str().unwrap().to_owned(), mounted["pid"].as_u64().unwrap())
    };
    let (dir, pid) = mount();
    let try_to_write = |dir: &str| {
        let script = format!("echo x | dd of={dir}/index.html oflag=append conv=notrunc");
        end(world.command("sh").args(["-c", &script]).env("LC_ALL", "C"))
    };
    assert_eq!(try_to_write(&dir).code, 0);
    let id = ask(world, &["merge", "--freeze"]);
    let is_frozen = |dir: &str| try_to_write(dir).err.contains("Read-only file system");
    assert!(is_frozen(&dir));
    world.sh(&format!("kill -9 {pid}"));
    assert!(is_frozen(&dir), "also after another process took over");
    world.ok(["session", "unmount", "fix-login"]);
    for args in [&["restore", "fix-login@1"][..], &["merge", "trunk", "--into", "fix-login"], &["update", "fix-login"]]
    {
        world.run(["checkpoint", "create", "fix-login"]);
        let ended = world.run(args);
        assert_eq!(ended.code, 5, "{args:?}: {ended:?}");
    }
    let (dir, _) = mount();
    assert!(is_frozen(&dir), "also after a remount");
    assert_eq!(as_(world, "bob", &["approval", "deny", &id]), 0);
    assert_eq!(try_to_write(&dir).code, 0);
    // What is undone is asked again, and frozen again.
    let id = ask(world, &["merge", "--freeze"]);
    world.ok(["approval", "cancel", &id]);
    world.ok(["undo"]);
    assert!(is_frozen(&dir));
    world.ok(["redo"]);
    assert_eq!(try_to_write(&dir).code, 0);
    world.ok(["session", "unmount", "fix-login"]);
}

#[test]
fn what_is_no_question_is_refused_and_any_text_comes_out_as_it_went_in() {
    let Some(ref world) = world() else { return };
    for (args, code) in [
        (&["Big Word"][..], 2),
        (&["-x"], 2),
        (&["merge", "--details", "[]"], 2),
        (&["merge", "--details", "{"], 2),
        (&["merge", "--expires", "soon"], 2),
        (&["merge", "--grants", "0"], 2),
    ] {
        let ended = world.run(["-s", "fix-login", "approval", "request"].iter().chain(args));
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
    }
    assert_eq!(world.run(["approval", "show", "a-0000000000"]).code, 3);
    assert_eq!(world.run(["approval", "show", "fix-login"]).code, 3);
    let texts = ["\u{1b}]0;title\u{7}\r\nnext", "'; DROP TABLE approval; --", "%_*?[a]\\", &"x".repeat(100_000)];
    for text in texts {
        let details = json!({ "text": text }).to_string();
        let id = ask(world, &["deploy", "-m", text, "--details", &details]);
        assert_eq!(as_(world, text, &["approval", "deny", &id, "-m", text]), 0);
        let shown = show(world, &id);
        assert_eq!((shown["reason"].as_str(), shown["details"]["text"].as_str()), (Some(text), Some(text)));
        let answer = &shown["answers"][0];
        assert_eq!((answer["message"].as_str(), answer["actor"].as_str()), (Some(text), Some(text)));
        for args in [&["approval", "show", &id][..], &["approval", "list"], &["event", "list"]] {
            assert!(!world.ok(args).contains(['\u{1b}', '\u{7}', '\r']), "{args:?}");
        }
    }
}
