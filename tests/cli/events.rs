//! The history.

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
