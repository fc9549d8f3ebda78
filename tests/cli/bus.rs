//! The bus.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::World;

fn publish(world: &World, session: &str, topic: &str, message: &str) {
    world.ok(["-s", session, "bus", "publish", topic, message]);
}

fn heard(world: &World, session: &str, args: &[&str]) -> Vec<String> {
    let lines = world.json(["-s", session, "bus", "subscribe"].iter().chain(args));
    lines.iter().map(|line| line["body"].as_str().unwrap().to_owned()).collect()
}

/// A listener that goes on, and its lines.
fn follow(world: &World, args: &[&str]) -> (Child, Receiver<Value>) {
    let mut command = world.aether(["-s", "fix-login", "bus", "subscribe", "--follow", "--json"].iter().chain(args));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        lines.map_while(Result::ok).try_for_each(|line| send.send(serde_json::from_str(&line).unwrap()))
    });
    (child, receive)
}

#[test]
fn messages_are_replayed_in_order_by_topic_and_from_a_cursor() {
    let world = World::with_web();
    for (topic, body) in [("tests:a", "1"), ("build", "2"), ("tests:b", "3"), ("tests:a", "4")] {
        publish(&world, "fix-login", topic, body);
    }
    assert_eq!(heard(&world, "fix-login", &[]), ["1", "2", "3", "4"]);
    assert_eq!(heard(&world, "fix-login", &["tests:*"]), ["1", "3", "4"]);
    assert_eq!(heard(&world, "fix-login", &["tests:[b]", "build"]), ["2", "3"]);
    assert_eq!(heard(&world, "fix-login", &["--replay", "2"]), ["3", "4"]);
    assert_eq!(heard(&world, "fix-login", &["tests:?", "--replay", "2"]), ["3", "4"]);
    assert_eq!(heard(&world, "fix-login", &["build", "--replay", "7"]), ["2"]);
    assert!(heard(&world, "fix-login", &["--replay", "0"]).is_empty());
    let all = world.json(["-s", "fix-login", "bus", "subscribe"]);
    let cursor = all[1]["cursor"].to_string();
    assert_eq!(heard(&world, "fix-login", &["--since", &cursor]), ["3", "4"]);
    assert_eq!(heard(&world, "fix-login", &["--since", &cursor, "-n", "1"]), ["3"]);
    let op = world.json(["op", "log"]);
    assert_eq!(op.len(), 2, "a message is a record of its own");
}

#[test]
fn forks_and_parents_are_heard_if_that_is_wanted() {
    let world = World::with_web();
    world.ok(["session", "fork", "fix-login", "child"]);
    world.ok(["session", "fork", "child", "grandchild"]);
    world.ok(["session", "create", "stranger", "--source", "web"]);
    for session in ["grandchild", "stranger", "fix-login", "child"] {
        publish(&world, session, "t", session);
    }
    assert_eq!(heard(&world, "child", &[]), ["child"], "messages are not copied by a fork");
    for session in ["fix-login", "child", "grandchild"] {
        assert_eq!(heard(&world, session, &["--lineage"]), ["grandchild", "fix-login", "child"]);
    }
    assert_eq!(heard(&world, "stranger", &["--lineage"]), ["stranger"]);
    assert_eq!(heard(&world, "child", &["--lineage", "--replay", "2"]), ["fix-login", "child"]);
}

#[test]
fn any_bytes_go_through_and_no_text_drives_the_terminal() {
    let world = World::with_web();
    let bodies: &[&[u8]] =
        &[b"", b"\x1b[31mred", b"two\nlines", b"\xff\x00\xfe", b"'; DROP TABLE bus_message; --", &b"x".repeat(100_000)];
    for body in bodies {
        let mut command = world.aether(["-s", "fix-login", "bus", "publish", "t"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(body).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let output = world.aether(["-s", "fix-login", "bus", "subscribe", "--raw"]).output().unwrap();
    assert_eq!(output.stdout, bodies.iter().flat_map(|body| [body, b"\n".as_slice()].concat()).collect::<Vec<_>>());
    assert!(!world.ok(["-s", "fix-login", "bus", "subscribe"]).contains('\u{1b}'));
    assert_eq!(world.json(["-s", "fix-login", "bus", "subscribe"])[3]["body_base64"], "/wD+");
    let long = "t".repeat(201);
    for bad in ["", "a b", "a*", "a\n", "\u{1b}", &long] {
        assert_eq!(world.run(["-s", "fix-login", "bus", "publish", bad, "x"]).code, 2, "{bad:?}");
    }
    let too_long = vec![b'x'; (1 << 20) + 1];
    let mut command = world.aether(["-s", "fix-login", "bus", "publish", "t", "--lines"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let _it_stops_reading = child.stdin.take().unwrap().write_all(&too_long);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(world.run(["-s", "nope", "bus", "subscribe"]).code, 3);
}

#[test]
fn a_listener_hears_at_once_and_costs_nothing_meanwhile() {
    let world = World::with_web();
    let (mut child, messages) = follow(&world, &["wanted"]);
    std::thread::sleep(Duration::from_secs(1));
    let mut waits = Vec::new();
    for at in 0..21 {
        publish(&world, "fix-login", "other", "x");
        publish(&world, "fix-login", "wanted", &at.to_string());
        let published = Instant::now();
        let message = messages.recv_timeout(Duration::from_secs(20)).unwrap();
        waits.push(published.elapsed());
        assert_eq!(message["body"], at.to_string());
    }
    waits.sort_unstable();
    assert!(waits[10] < Duration::from_millis(50), "{waits:?}");
    // Until it has looked for the last time after the last change.
    std::thread::sleep(Duration::from_secs(4));
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = switches();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(switches(), before, "it does not sleep");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn who_begins_again_from_a_cursor_misses_nothing() {
    let world = World::with_web();
    let (mut child, messages) = follow(&world, &[]);
    std::thread::sleep(Duration::from_secs(1));
    publish(&world, "fix-login", "t", "0");
    let cursor = messages.recv_timeout(Duration::from_secs(20)).unwrap()["cursor"].to_string();
    child.kill().unwrap();
    child.wait().unwrap();
    publish(&world, "fix-login", "t", "1");
    let (mut child, messages) = follow(&world, &["--since", &cursor, "-n", "2"]);
    assert_eq!(messages.recv_timeout(Duration::from_secs(20)).unwrap()["body"], "1");
    publish(&world, "fix-login", "t", "2");
    assert_eq!(messages.recv_timeout(Duration::from_secs(20)).unwrap()["body"], "2");
    assert!(child.wait().unwrap().success());
    let ended = world.run(["-s", "fix-login", "bus", "subscribe", "--follow", "--timeout", "100ms"]);
    assert_eq!(ended.code, 6);
}

#[test]
fn eight_who_publish_are_heard_by_eight_in_one_order_and_nothing_is_lost() {
    const EACH: usize = 1500;
    let world = World::with_web();
    let all = (8 * EACH).to_string();
    let listeners: Vec<_> = (0..8).map(|_| follow(&world, &["--since", "0", "-n", &all])).collect();
    let started = Instant::now();
    let publishers: Vec<_> = (0..8)
        .map(|who| {
            let mut command = world.aether(["-s", "fix-login", "bus", "publish", &format!("p{who}"), "--lines"]);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let feeder = std::thread::spawn(move || (0..EACH).for_each(|at| writeln!(stdin, "{at}").unwrap()));
            (child, feeder)
        })
        .collect();
    for (mut child, feeder) in publishers {
        feeder.join().unwrap();
        assert!(child.wait().unwrap().success());
    }
    let mut first: Option<Vec<Value>> = None;
    for (mut child, messages) in listeners {
        let own: Vec<Value> = (0..8 * EACH).map(|_| messages.recv_timeout(Duration::from_secs(60)).unwrap()).collect();
        assert!(child.wait().unwrap().success());
        let mut next = HashMap::<String, usize>::new();
        for message in &own {
            let expected = next.entry(message["topic"].as_str().unwrap().to_owned()).or_default();
            assert_eq!(message["body"], expected.to_string());
            *expected += 1;
        }
        assert!(own.is_sorted_by(|a, b| a["cursor"].as_i64() < b["cursor"].as_i64()));
        match &first {
            Some(first) => assert_eq!(first, &own),
            None => first = Some(own),
        }
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
