//! Notes of a review. Sessions are mounted to change them, which needs FUSE; `AETHER_TEST_FUSE=skip` leaves these tests out.

use serde_json::{Value, json};

use super::World;

const TEXT: &str = "one\\ntwo\\nthree\\nfour\\nfive\\n";

fn world() -> Option<World> {
    let skip = std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip");
    (!skip).then(|| {
        let world = World::with_web();
        within(&world, &format!("printf '{TEXT}' >lib/text"));
        world
    })
}

fn within(world: &World, script: &str) {
    world.ok(["session", "run", "fix-login", "--", "sh", "-ec", script]);
}

fn add(world: &World, args: &[&str]) -> String {
    world.ok(["-s", "fix-login", "annotation", "add", "-q"].iter().chain(args)).trim().to_owned()
}

fn show(world: &World, id: &str) -> Value {
    world.json(["annotation", "show", id]).remove(0)
}

#[test]
fn a_note_follows_its_lines_and_is_kept_when_they_are_gone() {
    let Some(ref world) = world() else { return };
    let id = add(world, &["lib/text:2-3", "-m", "why?"]);
    for (script, path, lines, outdated) in [
        ("true", "lib/text", (2, 3), false),
        // In place: `sed -i` makes another file, and a file that moved is known by its number or its content.
        ("{ echo zero; cat lib/text; } >t; cat t >lib/text; rm t", "lib/text", (3, 4), false),
        ("mv lib/text lib/moved", "lib/moved", (3, 4), false),
        ("grep -v two lib/moved >t || true; cat t >lib/moved; rm t", "lib/moved", (3, 3), false),
        ("grep -v three lib/moved >t || true; cat t >lib/moved; rm t", "lib/text", (2, 3), true),
        ("rm lib/moved", "lib/text", (2, 3), true),
    ] {
        within(world, script);
        let note = show(world, &id);
        assert_eq!((&note["path"], &note["outdated"]), (&json!(path), &json!(outdated)), "{script}");
        assert_eq!((&note["first_line"], &note["last_line"]), (&json!(lines.0), &json!(lines.1)), "{script}");
    }
    within(world, &format!("printf '{TEXT}' >lib/text"));
    assert_eq!(show(world, &id)["outdated"], false);
}

#[test]
fn a_note_is_answered_resolved_and_counted_by_a_policy() {
    let Some(ref world) = world() else { return };
    std::fs::write(world.path("p"), "[actions.commit]\nopen_annotations = 0\n").unwrap();
    world.ok(["policy", "set", "web", "--file", "p"]);
    let id = add(world, &["-m", "why?", "--as", "bob"]);
    assert_eq!(world.run(["commit", "fix-login", "-m", "x"]).code, 5);
    world.ok(["annotation", "reply", &id, "-m", "because"]);
    assert_eq!(show(world, &id)["replies"][0]["text"], "because");
    world.ok(["annotation", "resolve", &id]);
    assert_eq!(world.run(["annotation", "resolve", &id]).code, 4);
    world.ok(["commit", "fix-login", "-m", "x"]);
    world.ok(["annotation", "reopen", &id]);
    let list = |args: &[&str]| world.json(["-s", "fix-login", "annotation", "list"].iter().chain(args)).len();
    assert_eq!((list(&["--state", "open"]), list(&["--state", "resolved"]), list(&["--author", "bob"])), (1, 0, 1));
    world.ok(["annotation", "delete", &id]);
    assert_eq!((list(&[]), world.run(["annotation", "show", &id]).code), (0, 3));
    world.ok(["undo"]);
    assert_eq!(list(&[]), 1);
    world.ok(["annotation", "delete", &id]);
    world.ok(["trash", "restore", &id]);
    assert_eq!(list(&[]), 1);
}

#[test]
fn a_stale_look_and_what_is_not_there_are_refused() {
    let Some(ref world) = world() else { return };
    let id = add(world, &["lib/text", "-m", "x"]);
    let hash = show(world, &id)["content"].as_str().unwrap().to_owned();
    assert_eq!(hash, blake3::hash(b"one\ntwo\nthree\nfour\nfive\n").to_hex().as_str());
    add(world, &["lib/text:1", "-m", "x", "--expect", &hash]);
    within(world, "echo six >>lib/text");
    for (args, code) in [
        (&["lib/text:1", "-m", "x", "--expect", &hash][..], 4),
        (&["lib/text:7", "-m", "x"], 3),
        (&["lib/text:0", "-m", "x"], 2),
        (&["lib/text:3-2", "-m", "x"], 2),
        (&["lib/none", "-m", "x"], 3),
        (&["lib:1", "-m", "x"], 1),
        (&["lib/text", "-m", " "], 2),
    ] {
        let ended = world.run(["-s", "fix-login", "annotation", "add"].iter().chain(args));
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
    }
    for text in ["\u{1b}[2J\r\n'; DROP TABLE annotation; --", &"x".repeat(100_000)] {
        let id = add(world, &["-m", text]);
        world.ok(["annotation", "reply", &id, "-m", text]);
        let note = show(world, &id);
        assert_eq!((note["text"].as_str(), note["replies"][0]["text"].as_str()), (Some(text), Some(text)));
        assert!(!world.ok(["annotation", "show", &id]).contains(['\u{1b}', '\r']));
    }
}

#[test]
fn a_diff_shows_open_notes_beside_their_lines() {
    let Some(ref world) = world() else { return };
    world.ok(["checkpoint", "create", "fix-login"]);
    within(world, "sed 's/two/zwei/' lib/text >t; cat t >lib/text; rm t");
    let on_new = add(world, &["lib/text:2", "-m", "why\nnot two?\u{1b}", "--as", "bob"]);
    let whole = add(world, &["lib/text", "-m", "all of it"]);
    let elsewhere = add(world, &["index.html:1", "-m", "not changed"]);
    let session = add(world, &["-m", "well done"]);
    let resolved = add(world, &["lib/text:3", "-m", "done with"]);
    world.ok(["annotation", "resolve", &resolved]);
    world.ok(["annotation", "reply", &on_new, "-m", "because", "--as", "ann"]);
    let args = ["diff", "fix-login@1", "fix-login", "--annotations"];
    let text = world.ok(args);
    let beside = format!("+zwei\n  │ {on_new} by bob\n  │ why\n  │ not two?\\x1b\n  │ ann: because\n three\n");
    assert!(text.contains(&beside), "{text}");
    for apart in [format!("│ {whole} by"), format!("│ {elsewhere} by"), format!("│ {session} by")] {
        assert!(text.contains(&apart), "{apart}: {text}");
    }
    assert!(!text.contains(&resolved), "{text}");
    for form in ["--word", "--side-by-side"] {
        assert!(world.ok(args.iter().chain(&[form])).contains(&format!("│ {on_new} by bob\n  │ why")), "{form}");
    }
    let only = world.ok(args.iter().chain(&["--", "lib"]));
    assert!(only.contains(&whole) && !only.contains(&elsewhere) && !only.contains(&session), "{only}");
    let lines = world.json(args);
    let short = |line: &Value| {
        let notes = line["annotations"].as_array().unwrap().iter().map(|note| note["id"].clone()).collect::<Vec<_>>();
        json!([line["path"], line["change"], notes])
    };
    let expected = [
        json!(["lib/text", "modified", [whole, on_new]]),
        json!(["", "unchanged", [session]]),
        json!(["index.html", "unchanged", [elsewhere]]),
    ];
    assert_eq!(lines.iter().map(short).collect::<Vec<_>>(), expected);
    // A plain diff and a patch say nothing of notes.
    assert!(!world.ok(["diff", "fix-login@1", "fix-login"]).contains("│"));
    assert_eq!(world.run(["diff", "fix-login", "--annotations", "--patch"]).code, 2);
}

#[test]
fn a_commit_carries_the_notes_of_its_session_and_keeps_them() {
    let Some(ref world) = world() else { return };
    let note = add(world, &["lib/text:2-3", "-m", "why?", "--as", "bob"]);
    let gone = add(world, &["lib/text:5", "-m", "five"]);
    world.ok(["annotation", "reply", &note, "-m", "because", "--as", "ann"]);
    within(world, "{ echo zero; grep -v five lib/text; } >t; cat t >lib/text; rm t");
    let commit = world.ok(["commit", "fix-login", "-m", "x", "-q"]).trim().to_owned();
    // What happens to the note later is not the commit's.
    world.ok(["annotation", "resolve", &note]);
    let carried = || world.json(["annotation", "list", "--commit", &commit]);
    let check = || {
        let [first, second] = &carried()[..] else { panic!("{:?}", carried()) };
        assert_eq!((&first["id"], &first["first_line"], &first["last_line"]), (&json!(note), &json!(3), &json!(4)));
        assert_eq!(
            (&first["state"], &first["commit"], &first["actor"]),
            (&json!("open"), &json!(commit), &json!("bob"))
        );
        assert_eq!(first["replies"][0]["text"], "because");
        assert_eq!(
            (&second["id"], &second["outdated"], &second["first_line"]),
            (&json!(gone), &json!(true), &json!(5))
        );
    };
    check();
    let shown = world.ok(["commit", "show", &commit, "--annotations"]);
    assert!(shown.contains(&format!("{note} by bob at lib/text:3-4\n  │ why?\n  │ ann: because")), "{shown}");
    assert_eq!(world.json(["commit", "show", &commit, "--annotations"])[0]["annotations"].as_array().unwrap().len(), 2);
    assert!(
        world.ok(["commit", "diff", &commit, "--annotations"]).contains(&format!("+three\n  │ {note} by bob at 3-4"))
    );
    assert_eq!(world.json(["annotation", "list", "--commit", &commit, "--author", "bob"]).len(), 1);
    assert_eq!(world.json(["annotation", "list", "--commit", &commit, "index.html"]).len(), 0);

    world.ok(["session", "delete", "fix-login"]);
    world.ok(["trash", "empty", "--yes"]);
    check();
    let left = show(world, &note);
    assert_eq!((&left["commit"], &left["state"], &left["text"]), (&json!(commit), &json!("open"), &json!("why?")));
    assert_eq!(world.run(["annotation", "resolve", &note]).code, 3, "nothing about a commit changes");
    // The notes come and go with their commit.
    world.ok(["commit", "delete", &commit]);
    assert_eq!(world.run(["annotation", "show", &note]).code, 3);
    world.ok(["undo"]);
    check();
}

#[test]
fn undoing_a_commit_and_redoing_it_keeps_its_notes() {
    let Some(ref world) = world() else { return };
    add(world, &["lib/text:1", "-m", "why?"]);
    let commit = world.ok(["commit", "fix-login", "-m", "x", "-q"]).trim().to_owned();
    world.ok(["undo"]);
    assert_eq!(world.run(["annotation", "list", "--commit", &commit]).code, 3);
    world.ok(["redo"]);
    assert_eq!(world.json(["annotation", "list", "--commit", &commit]).len(), 1);
}

#[test]
fn a_limit_is_of_what_is_wanted_and_paths_are_whole_names() {
    let world = World::with_web();
    for at in ["index.html", "lib/app.js", "lib"] {
        add(&world, &[at, "-m", "x"]);
    }
    world.ok(["-s", "fix-login", "annotation", "add", "-m", "all of it"]);
    let list = |args: &[&str]| {
        let rows = world.json(["-s", "fix-login", "annotation", "list"].iter().chain(args));
        rows.iter().map(|row| row["path"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&["lib", "-n", "1"]), ["lib"]);
    assert_eq!(list(&["lib"]), ["lib", "lib/app.js"]);
    assert_eq!(list(&["lib/app.js", "--state", "open", "--author", "ann"]), ["lib/app.js"]);
    assert_eq!(list(&["li"]), Vec::<String>::new());
    assert_eq!(list(&[]).len(), 4);
}
