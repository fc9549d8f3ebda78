//! The cache.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Ended, World, end};

/// A command about the cache of `fix-login`.
fn cache(world: &World, args: &[&str]) -> Command {
    world.aether(["-s", "fix-login", "cache"].iter().chain(args))
}

fn run(world: &World, args: &[&str]) -> Ended {
    end(&mut cache(world, args))
}

fn ok(world: &World, args: &[&str]) -> String {
    let ended = run(world, args);
    assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
    ended.out
}

fn fed(mut command: Command, input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

fn version(world: &World, key: &str) -> u64 {
    let line: Value = serde_json::from_str(&ok(world, &["get", key, "--json"])).unwrap();
    line["version"].as_u64().unwrap()
}

#[test]
fn any_bytes_come_back_as_they_went_in() {
    let world = World::with_web();
    let binary: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let line = [b"x".repeat(100_000), b"\n".to_vec()].concat();
    let values: &[&[u8]] =
        &[b"", b"\n", b"\0", b"\x1b[31mred\x1b[0m", b"'; DROP TABLE cache_entry; --", &binary, &line];
    for (at, value) in values.iter().enumerate() {
        let key = format!("v{at}");
        assert_eq!(fed(cache(&world, &["set", &key]), value).0, 0);
        assert_eq!(fed(cache(&world, &["get", &key]), b"").1, *value, "{key}");
        fs::write(world.path("value"), value).unwrap();
        ok(&world, &["set", "from-file", "--file", "value"]);
        assert_eq!(fed(cache(&world, &["get", "from-file"]), b"").1, *value, "{key}");
    }
    let exported = ok(&world, &["export"]);
    world.ok(["session", "create", "other", "--empty"]);
    let (code, _, err) = fed(world.aether(["-s", "other", "cache", "import"]), exported.as_bytes());
    assert_eq!(code, 0, "{err}");
    for (at, value) in values.iter().enumerate() {
        let get = world.aether(["-s", "other", "cache", "get", &format!("v{at}")]);
        assert_eq!(fed(get, b"").1, *value);
    }
}

#[test]
fn any_text_can_be_a_key_and_none_drives_the_terminal() {
    let world = World::with_web();
    let long = "k".repeat(1000);
    let keys =
        ["a b", "\u{1b}[31mred", "two\nlines", "'; DROP TABLE cache_entry; --", "*", "[x]", "größe", "%_", &long];
    for key in keys {
        ok(&world, &["set", key, key]);
        assert_eq!(ok(&world, &["get", key]), key);
    }
    let listed = ok(&world, &["list"]);
    assert!(!listed.contains('\u{1b}') && listed.lines().count() == keys.len() + 1, "{listed}");
    let lines = ok(&world, &["list", "--json"]);
    let mut found: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned())
        .collect();
    let mut wanted = keys.map(str::to_owned);
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    for bad in ["", &"k".repeat(1001)] {
        let ended = run(&world, &["set", bad, "v"]);
        assert_eq!(ended.code, 2, "{ended:?}");
    }
    assert_eq!(ok(&world, &["list", "[*]", "-q"]), "*\n", "a wildcard in brackets is none");
}

#[test]
fn versions_rise_and_are_never_given_out_twice() {
    let world = World::with_web();
    ok(&world, &["set", "k", "1"]);
    ok(&world, &["set", "k", "2", "--if-version", "1"]);
    assert_eq!(version(&world, "k"), 2);
    let refused = run(&world, &["set", "k", "3", "--if-version", "1"]);
    assert!(refused.code == 4 && refused.err.contains("version 2"), "{refused:?}");
    let refused = run(&world, &["set", "k", "3", "--if-absent"]);
    assert!(refused.code == 4 && refused.err.contains("version 2"), "{refused:?}");
    assert_eq!(ok(&world, &["get", "k"]), "2");
    assert_eq!(run(&world, &["delete", "k", "--if-version", "1"]).code, 4);
    ok(&world, &["delete", "k", "--if-version", "2"]);
    assert_eq!(run(&world, &["get", "k"]).code, 3);
    assert_eq!(run(&world, &["delete", "k"]).code, 3);
    let refused = run(&world, &["set", "k", "3", "--if-version", "2"]);
    assert!(refused.code == 4 && refused.err.contains("not there"), "{refused:?}");
    ok(&world, &["set", "k", "3", "--if-absent"]);
    assert_eq!(version(&world, "k"), 3, "one who remembers version 2 must not take this for it");
}

#[test]
fn what_has_expired_is_not_there() {
    let world = World::with_web();
    ok(&world, &["set", "gone", "v", "--ttl", "200ms"]);
    ok(&world, &["set", "stays", "v", "--ttl", "2h"]);
    let listed: Value = serde_json::from_str(ok(&world, &["list", "stays", "--json"]).trim()).unwrap();
    assert!(listed["expires"].is_string());
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(run(&world, &["get", "gone"]).code, 3);
    assert_eq!(ok(&world, &["list", "-q"]), "stays\n");
    ok(&world, &["set", "gone", "again", "--if-absent"]);
    assert_eq!(version(&world, "gone"), 2);
    assert_eq!(run(&world, &["set", "x", "v", "--ttl", "soon"]).code, 2);
}

#[test]
fn lists_and_deletions_go_by_prefix_and_glob() {
    let world = World::with_web();
    for key in ["a/1", "a/2", "a0", "b/1", "a/größe", "A/1"] {
        ok(&world, &["set", key, "v"]);
    }
    assert_eq!(ok(&world, &["list", "--prefix", "a/", "-q"]), "a/1\na/2\na/größe\n");
    assert_eq!(ok(&world, &["list", "*/1", "-q"]), "A/1\na/1\nb/1\n");
    assert_eq!(ok(&world, &["list", "*/1", "--prefix", "a", "-q"]), "a/1\n");
    assert_eq!(ok(&world, &["list", "--prefix", "a/", "-n", "1", "-q"]), "a/1\n");
    let stats: Value = serde_json::from_str(&ok(&world, &["stats", "--json"])).unwrap();
    assert_eq!((&stats["entries"], &stats["size_bytes"], &stats["stored_bytes"]), (&6.into(), &6.into(), &1.into()));
    assert_eq!(ok(&world, &["delete", "--prefix", "a/", "-q"]), "3\n");
    assert_eq!(ok(&world, &["delete", "--prefix", "a/", "-q"]), "0\n");
    assert_eq!(ok(&world, &["list", "-q"]), "A/1\na0\nb/1\n");
}

#[test]
fn an_import_is_whole_or_not_at_all() {
    let world = World::with_web();
    ok(&world, &["set", "k", "before"]);
    let import = |text: &str| fed(cache(&world, &["import"]), text.as_bytes());
    for (bad, code) in [
        ("{\"key\":\"k\",\"value\":\"new\"}\nnonsense\n", 2),
        ("{\"key\":\"k\",\"value\":\"new\"}\n{\"key\":\"l\"}", 2),
        ("{\"key\":\"k\",\"value\":\"new\"}\n{\"key\":\"l\",\"value\":\"v\",\"value_base64\":\"\"}", 2),
        ("{\"key\":\"k\",\"value\":\"new\"}\n{\"key\":\"l\",\"value_base64\":\"!\"}", 2),
        ("{\"key\":\"k\",\"value\":\"new\"}\n{\"key\":\"\",\"value\":\"v\"}", 2),
        ("{\"key\":\"l\",\"value\":\"new\"}\n{\"key\":\"k\",\"value\":\"v\",\"if_version\":7}", 4),
    ] {
        let (found, _, err) = import(bad);
        assert_eq!(found, code, "{bad}: {err}");
        assert_eq!((ok(&world, &["get", "k"]), ok(&world, &["list", "-q"])), ("before".into(), "k\n".into()), "{bad}");
    }
    assert!(import("nonsense").2.contains("line 1"));
    assert_eq!(
        import("\n{\"key\":\"k\",\"value\":\"v\",\"if_version\":1}\r\n{\"key\":\"l\",\"value_base64\":\"AP8=\"}").0,
        0
    );
    assert_eq!(fed(cache(&world, &["get", "l"]), b"").1, b"\0\xff");
    let line: Value = serde_json::from_str(ok(&world, &["export", "l"]).trim()).unwrap();
    assert_eq!((&line["value_base64"], line.get("value")), (&"AP8=".into(), None));
}

#[test]
fn a_value_may_have_16_mib_and_no_more() {
    let world = World::with_web();
    let mut value: Vec<u8> = (0..16 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(fed(cache(&world, &["set", "big"]), &value).0, 0);
    assert!(fed(cache(&world, &["get", "big"]), b"").1 == value);
    value.push(0);
    let (code, _, err) = fed(cache(&world, &["set", "big"]), &value);
    assert!(code == 1 && err.contains("16 MiB"), "{err}");
}

#[test]
fn a_fork_begins_with_a_copy() {
    let world = World::with_web();
    ok(&world, &["set", "k", "parent"]);
    world.ok(["session", "fork", "fix-login", "child"]);
    world.ok(["-s", "child", "cache", "set", "k", "child", "--if-version", "1"]);
    assert_eq!(ok(&world, &["get", "k"]), "parent");
    assert_eq!(world.ok(["-s", "child", "cache", "get", "k"]), "child");
    world.ok(["session", "delete", "child", "--yes"]);
    world.ok(["trash", "empty", "--yes"]);
    assert_eq!(ok(&world, &["get", "k"]), "parent");
}

#[test]
fn entries_are_not_undone_and_are_in_the_history() {
    let world = World::with_web();
    ok(&world, &["set", "k", "1"]);
    ok(&world, &["set", "k", "2"]);
    ok(&world, &["delete", "k"]);
    let rows = world.json(["event", "list", "--type", "cache.*"]);
    let told: Vec<_> = rows.iter().map(|row| (row["type"].as_str().unwrap(), &row["details"]["was_version"])).collect();
    assert_eq!(told, [("cache.set", &0.into()), ("cache.set", &1.into()), ("cache.delete", &2.into())]);
    // What is undone is the newest command that can be: the making of the session.
    world.ok(["undo"]);
    assert_eq!(world.run(["session", "show", "fix-login"]).code, 3);
}

#[test]
fn of_many_that_name_one_version_exactly_one_wins() {
    let world = World::with_web();
    for round in 0..3_u64 {
        let start = |at: usize| {
            let (value, wanted) = (at.to_string(), round.to_string());
            let mut command = cache(&world, &["set", "k", &value, "--if-version", &wanted, "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<Child> = (0..12).map(start).collect();
        let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let winners: Vec<_> =
            (0..outputs.len()).filter(|&at| outputs[at].status.success()).map(|at| at.to_string()).collect();
        assert_eq!(winners, [ok(&world, &["get", "k"])]);
        for loser in outputs.iter().filter(|output| !output.status.success()) {
            let failure: Value = serde_json::from_slice(&loser.stderr).unwrap();
            assert_eq!(loser.status.code(), Some(4), "{failure}");
            assert!(failure["error"].as_str().unwrap().contains(&format!("version {}", round + 1)), "{failure}");
        }
    }
}
