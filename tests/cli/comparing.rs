//! `compare` and `overlaps`. Sessions are changed by way of a plain directory, so nothing has to be mounted.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::World;

/// Changes a session by a script that runs in its tree.
fn edit(world: &World, session: &str, script: &str) {
    world.ok(["session", "materialize", session, "plain", "-q"]);
    world.sh(&format!("cd plain; {script}"));
    world.ok(["session", "absorb", session, "plain", "-q"]);
    world.sh("rm -rf plain");
}

/// Three sessions, of which two agree on one path and all differ on another.
fn three() -> World {
    let world = World::with_web();
    for (name, text) in [("a", "one"), ("b", "one"), ("c", "three")] {
        world.ok(["session", "create", name, "--source", "web"]);
        edit(&world, name, &format!("echo {text} >index.html; echo {name} >only-{name}; echo {name} >lib/app.js"));
    }
    edit(&world, "c", "mv lib library");
    world
}

fn groups(table: &Value, path: &str) -> Vec<(String, String, u64)> {
    let row = table["paths"].as_array().unwrap().iter().find(|row| row["path"] == path).unwrap();
    let cell = |cell: &Value| {
        let text = |key: &str| cell[key].as_str().unwrap().to_owned();
        (text("session"), text("status"), cell["group"].as_u64().unwrap())
    };
    row["changes"].as_array().unwrap().iter().map(cell).collect()
}

#[test]
fn sessions_with_the_same_outcome_are_grouped() {
    let world = three();
    let table = &world.json(["compare", "a", "b", "c"])[0];
    assert_eq!(table["sessions"], json!(["a", "b", "c"]));
    let cell = |session: &str, status: &str, group| (session.to_owned(), status.to_owned(), group);
    assert_eq!(groups(table, "index.html"), [cell("a", "M", 1), cell("b", "M", 1), cell("c", "M", 2)]);
    assert_eq!(groups(table, "lib/app.js"), [cell("a", "M", 1), cell("b", "M", 2), cell("c", "D", 3)]);
    assert_eq!(groups(table, "only-b"), [cell("b", "A", 1)]);
    let out = world.ok(["compare", "a", "b"]);
    assert!(out.contains("index.html  yes   a M1, b M1\n"), "{out}");
    assert!(out.contains("lib/app.js  no    a M1, b M2\n"), "{out}");
    assert_eq!(world.run(["compare", "a", "nowhere"]).code, 3);
}

#[test]
fn overlaps_are_paths_that_more_than_one_session_changed() {
    let world = three();
    let paths = |table: &Value| -> Vec<String> {
        table["paths"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&world.json(["overlaps", "web"])[0]), ["index.html", "lib/app.js"]);
    world.ok(["session", "archive", "b"]);
    world.ok(["session", "archive", "c"]);
    assert!(paths(&world.json(["overlaps", "web"])[0]).is_empty());
    let out = world.ok(["overlaps", "web"]);
    assert_eq!(out, "There are no such paths\n");
}

#[test]
fn overlaps_are_watched_until_interrupted() {
    let world = World::with_web();
    world.ok(["session", "create", "other", "--source", "web"]);
    let mut command = world.aether(["overlaps", "web", "--watch", "--every", "100ms", "--json"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["paths"], json!([]));
    edit(&world, "fix-login", "echo a >shared");
    edit(&world, "other", "echo b >shared");
    assert_eq!(groups(&next(), "shared").len(), 2);
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn a_session_is_built_of_the_best_parts() {
    let world = three();
    let take = ["--take", "index.html=c", "--take", "lib=a", "--take", "only-b=b"];
    world.ok([&["compare", "a", "b", "c", "--into", "best"], &take[..]].concat());
    assert_eq!(world.ok(["diff", "best", "--name-status"]), "M\tindex.html\nM\tlib/app.js\nA\tonly-b\n");
    assert_eq!(world.ok(["cat", "best:index.html"]), "three\n");
    assert_eq!(world.ok(["cat", "best:lib/app.js"]), "a\n");
    // The sessions stay as they are, and nothing is half made.
    assert_eq!(world.ok(["cat", "a:index.html"]), "one\n");
    for (bad, code) in [("only-b=a", 2), ("index.html", 2), ("index.html=fix-login", 2), ("../x=a", 2)] {
        let ended = world.run(["compare", "a", "b", "--into", "other", "--take", bad]);
        assert_eq!(ended.code, code, "{bad}: {ended:?}");
    }
    assert_eq!(world.run(["session", "show", "other"]).code, 3);
    assert_eq!(world.run(["compare", "a", "b", "--into", "best", "--take", "index.html=a"]).code, 4);
    world.ok(["compare", "a", "b", "--into", "all-of-b", "--take", ".=b"]);
    assert_eq!(world.ok(["diff", "b", "all-of-b", "--all"]), "");
}
