//! The history.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{World, end};

fn types(world: &World, args: &[&str]) -> Vec<String> {
    let rows = world.json(["event", "list"].iter().chain(args));
    rows.iter().map(|row| row["type"].as_str().unwrap().to_owned()).collect()
}

/// Each command, and what is to be found in the history after it.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (&["source", "create", "e", "--empty", "--tag", "a=b"], &["source.create", "source.revision", "source.tag"]),
    (&["source", "rename", "e", "f"], &["source.rename"]),
    (&["source", "delete", "f"], &["source.delete"]),
    (&["trash", "restore", "f"], &["source.undelete"]),
    (&["session", "create", "s", "--source", "web", "--tag", "a=b"], &["session.create", "session.tag"]),
    (&["session", "rename", "s", "t"], &["session.rename"]),
    (&["tag", "set", "t", "a=c"], &["session.tag"]),
    (&["tag", "unset", "t", "a"], &["session.untag"]),
    (&["session", "archive", "t"], &["session.archive"]),
    (&["session", "activate", "t"], &["session.activate"]),
    (&["session", "expire", "t", "7d"], &["session.expire"]),
    (&["checkpoint", "create", "t"], &["checkpoint.create"]),
    (&["checkpoint", "rename", "t@1", "first"], &["checkpoint.rename"]),
    (&["checkpoint", "delete", "t@1"], &["checkpoint.delete"]),
    (&["trash", "restore", "t@1"], &["checkpoint.undelete"]),
    (&["undo"], &["checkpoint.undo"]),
    (&["redo"], &["checkpoint.redo"]),
    (&["checkpoint", "delete", "t@1"], &["checkpoint.delete"]),
    (&["session", "delete", "t"], &["session.delete"]),
    (&["trash", "empty", "t", "--yes"], &["session.purge"]),
];

#[test]
fn every_command_that_changes_something_is_in_the_history() {
    let world = World::with_web();
    for (command, wanted) in COMMANDS {
        let before = world.json(["event", "list", "-n", "1"])[0]["seq"].to_string();
        world.ok(command.iter().chain(&["--as", "bob"]));
        let rows = world.json(["event", "list", "--after", &before]);
        let found: Vec<_> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
        assert_eq!(&found, wanted, "{command:?}");
        let operation = &world.json(["op", "log", "-n", "1"])[0]["operation"];
        for row in &rows {
            assert_eq!((&row["operation"], &row["actor"]), (operation, &"bob".into()), "{command:?}");
            assert!(row["details"].is_object() && !row["id"].as_str().unwrap().is_empty(), "{row}");
        }
    }
}

#[test]
fn events_are_filtered() {
    let world = World::with_web();
    world.ok(["session", "create", "other", "--empty"]);
    world.ok(["session", "rename", "fix-login", "fix"]);
    assert_eq!(types(&world, &["--type", "session.*"]), ["session.create", "session.create", "session.rename"]);
    assert_eq!(types(&world, &["--session", "fix"]), ["session.create", "session.rename"]);
    assert_eq!(types(&world, &["--limit", "2"]), ["session.create", "session.rename"]);
    assert_eq!(types(&world, &["--after", "1", "--limit", "1"]), ["source.revision"]);
    assert_eq!(types(&world, &["--since", "1h"]).len(), 5);
    assert!(types(&world, &["--until", "1h"]).is_empty());
    assert!(types(&world, &["--since", "2100-01-01"]).is_empty());
    world.ok(["session", "delete", "fix"]);
    assert_eq!(types(&world, &["--session", "fix"]).len(), 3);
    for (args, code) in [
        (["--since", "yesterday"], 2),
        (["--until", ""], 2),
        (["--limit", "-1"], 2),
        (["--after", "x"], 2),
        (["--session", "nope"], 3),
    ] {
        assert_eq!(world.run(["event", "list"].iter().chain(&args)).code, code, "{args:?}");
    }
}

#[test]
fn following_shows_each_event_once_soon_after_it_happened_and_costs_nothing_meanwhile() {
    let world = World::with_web();
    let mut command = world.aether(["event", "follow", "--type", "session.*", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, receive) = channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
    std::thread::sleep(Duration::from_millis(500));
    for at in 0..20 {
        world.ok(["session", "create", &format!("n{at}"), "--empty"]);
        world.ok(["source", "create", &format!("n{at}"), "--empty"]);
        let started = Instant::now();
        let line = receive.recv_timeout(Duration::from_secs(20)).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&event["type"], &event["name"]), (&"session.create".into(), &format!("n{at}").into()));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    std::thread::sleep(Duration::from_secs(4));
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let fields: Vec<u64> =
            stat.rsplit(')').next().unwrap().split(' ').filter_map(|word| word.parse().ok()).collect();
        // The state is no number, so that utime and stime are the eleventh and twelfth that are left.
        fields[10] + fields[11]
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(2));
    assert!(ticks() - before <= 1, "it burns time");
    assert!(receive.try_recv().is_err());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn following_from_a_cursor_misses_nothing_and_ends_when_it_has_all() {
    let world = World::with_web();
    let ended = end(&mut world.aether(["event", "follow", "--after", "0", "--count", "3", "--json"]));
    assert_eq!((ended.code, ended.out.lines().count()), (0, 3), "{ended:?}");
    let text = world.ok(["event", "follow", "--after", "2", "--count", "1"]);
    assert!(text.contains("session.create fix-login"), "{text}");
    assert_eq!(world.run(["event", "follow", "--count", "0"]).code, 2);
}

#[test]
fn what_happens_in_a_run_names_the_command_and_the_run_says_what_it_changed() {
    let world = World::with_web();
    fs::write(world.path("src/web/old"), "x").unwrap();
    world.ok(["source", "refresh", "web"]);
    world.ok(["session", "create", "s", "--source", "web"]);
    let script = "echo new >new; echo more >>index.html; rm old; touch lib/app.js; aether cache set k v";
    assert_eq!(world.run(["run", "s", "--", "sh", "-c", script]).code, 0);
    let rows = world.json(["event", "list", "--session", "s"]);
    let (nested, run) = (&rows[rows.len() - 2], &rows[rows.len() - 1]);
    assert_eq!((&nested["type"], &run["type"]), (&"cache.set".into(), &"session.run".into()));
    assert_eq!(nested["via"].as_str().unwrap(), format!("sh -c '{script}'"));
    assert_eq!(nested["command"], "cache set k v");
    assert!(run["via"].is_null());
    let files = &run["details"]["files"];
    assert_eq!((&files["added"], &files["modified"], &files["deleted"]), (&1.into(), &1.into(), &1.into()), "{files}");
    assert_eq!(files["paths"], serde_json::json!(["M index.html", "A new", "D old"]));
    // What was there before is not told again.
    assert_eq!(world.run(["run", "s", "--", "sh", "-c", "echo again >>new; exit 3"]).code, 3);
    let run = &world.json(["event", "list", "--type", "session.run", "-n", "1"])[0];
    assert_eq!(
        (&run["details"]["exit_code"], &run["details"]["files"]["paths"]),
        (&3.into(), &serde_json::json!(["M new"]))
    );
    world.ok(["checkpoint", "create", "s"]);
    let made = &world.json(["event", "list", "--type", "checkpoint.create", "-n", "1"])[0];
    assert_eq!(made["details"]["files"]["paths"], serde_json::json!(["M index.html", "A new", "D old"]));
    world.ok(["undo"]);
    assert!(world.json(["checkpoint", "list", "s"]).is_empty(), "a run is nothing to undo");
}

#[test]
fn windows_types_and_cursors_find_the_same_events() {
    let world = World::with_web();
    for at in 0..30 {
        world.ok(["tag", "set", "fix-login", &format!("k={at}")]);
        world.ok(["-s", "fix-login", "cache", "set", "k", "v"]);
    }
    let all = world.json(["event", "list"]);
    let window = |args: &[&str]| world.json(["event", "list"].iter().chain(args));
    assert_eq!(window(&["--type", "*"]), all);
    assert_eq!(window(&["--since", "1h"]), all);
    let tags: Vec<_> = all.iter().filter(|event| event["type"] == "session.tag").cloned().collect();
    assert_eq!(window(&["--type", "session.tag"]), tags);
    assert_eq!(window(&["--type", "session.t[a]g", "-n", "4"]), tags[26..]);
    assert_eq!(window(&["--type", "*.tag", "--since", "1h", "-n", "4"]), tags[..4]);
    let middle = tags[10]["time"].as_str().unwrap();
    let before: Vec<_> = all.iter().filter(|event| event["time"].as_str().unwrap() < middle).cloned().collect();
    assert_eq!(window(&["--until", middle]), before);
    assert_eq!(window(&["--until", middle, "-n", "2"]), before[before.len() - 2..]);
    assert_eq!(window(&["--since", middle]), all[before.len()..]);
    let (mut paged, mut after) = (Vec::new(), "0".to_owned());
    while let Some(last) = window(&["--after", &after, "-n", "7", "--since", "1h"]).last() {
        paged.extend(window(&["--after", &after, "-n", "7", "--since", "1h"]));
        after = last["seq"].to_string();
    }
    assert_eq!(paged, all);
    let exported = world.ok(["event", "export"]);
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all);
}

#[test]
fn the_oldest_events_can_go_and_no_others() {
    let world = World::with_web();
    for at in 0..9 {
        world.ok(["tag", "set", "fix-login", &format!("k={at}")]);
    }
    let all = world.json(["event", "list"]);
    assert_eq!(world.run(["event", "prune", "--keep", "5"]).code, 5, "it has to be confirmed");
    assert_eq!(world.ok(["event", "prune", "--keep", "5", "--dry-run", "-q"]).trim(), (all.len() - 5).to_string());
    assert_eq!(world.json(["event", "list"]), all);
    world.ok(["event", "prune", "--keep", "5", "--yes"]);
    let left = world.json(["event", "list"]);
    assert_eq!(left[..5], all[all.len() - 5..]);
    assert_eq!((left.len(), &left[5]["type"]), (6, &"event.prune".into()));
    world.ok(["event", "prune", "--before", "1h", "--yes"]);
    assert_eq!(world.json(["event", "list"]), left);
    world.ok(["undo"]);
    assert_eq!(world.json(["tag", "list"])[0]["value"], "7", "what can be undone stays so");
    for bad in [&["event", "prune"] as &[_], &["event", "prune", "--keep", "1", "--before", "1h"]] {
        assert_eq!(world.run(bad).code, 2);
    }
}

#[test]
fn the_history_of_a_session_is_also_that_of_what_it_has() {
    let world = World::with_web();
    world.ok(["session", "create", "other", "--source", "web"]);
    for session in ["fix-login", "other"] {
        let own = |args: &[&str]| drop(world.ok([&["-s", session], args].concat()));
        own(&["checkpoint", "create"]);
        own(&["annotation", "add", "index.html", "-m", "x"]);
        own(&["approval", "request", "ship"]);
        own(&["lock", "acquire", session]);
        own(&["tag", "set", session, "k=v"]);
    }
    let types = |args: &[&str]| {
        let rows = world.json(["event", "list", "--session", "other"].iter().chain(args));
        rows.iter().map(|row| row["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = types(&[]);
    for what in
        ["session.create", "checkpoint.create", "annotation.add", "approval.request", "lock.acquire", "session.tag"]
    {
        assert_eq!(all.iter().filter(|found| *found == what).count(), 1, "{what}: {all:?}");
    }
    assert_eq!(types(&["-n", "2"]), all[all.len() - 2..]);
    assert_eq!(types(&["--type", "annotation.*"]), ["annotation.add"]);
    let numbers: Vec<_> =
        world.json(["event", "list", "--session", "other"]).iter().map(|row| row["seq"].as_i64()).collect();
    assert!(numbers.is_sorted());
}
