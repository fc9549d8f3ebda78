//! Commands cost what they ask for, and not what the catalog holds.
//!
//! What a command reads is counted by the kernel, with no clock: with a catalog of thousands of rows it is hardly more than with
//! one of some. `AETHER_TEST_SCALE=full` fills one with 1,000 sessions, 100,000 notes, cache entries and messages and
//! 1,000,000 events, prints the processor time of each command there and wants less than 10 ms; `AETHER_TEST_SCALE_KEEP` names a
//! directory that gets a copy of it.

use std::path::Path;

use aether::catalog::{
    Act, BusLimits, CacheCondition, Catalog, Error, NewAnnotation, NewApproval, NewCacheValue, NewHealth, NewLock,
    ObjectType, Session, Tx,
};
use aether::model::{BytePath, ChangeSetHash, ObjectId};

use super::{World, end};

/// Commands on a session that has a thousandth of everything but the cache and the bus, of which it has half. `{n}` is
/// another number each time, `{note}` and `{ask}` are ids.
const COMMANDS: &[&[&str]] = &[
    &["approval", "list", "-n", "20"],
    &["approval", "list", "-n", "20", "--state", "pending"],
    &["approval", "list", "-n", "20", "--state", "denied"],
    &["approval", "list", "-n", "20", "--action", "commit"],
    &["approval", "show", "{ask}"],
    &["approval", "request", "act{n}"],
    &["approval", "grant", "{ask}"],
    &["policy", "show", "web"],
    &["policy", "check"],
    &["annotation", "list", "-n", "20"],
    &["annotation", "list", "-n", "20", "--state", "open", "--author", "bob"],
    &["annotation", "list", "lib", "-n", "20"],
    &["annotation", "show", "{note}"],
    &["annotation", "add", "index.html:1", "-m", "x"],
    &["annotation", "reply", "{note}", "-m", "x"],
    &["cache", "get", "k2"],
    &["cache", "set", "k2", "v{n}"],
    &["cache", "set", "new{n}", "v"],
    &["cache", "delete", "--prefix", "k{n}00"],
    &["cache", "list", "-n", "20"],
    &["cache", "list", "--prefix", "k1", "-n", "20"],
    &["cache", "export", "--prefix", "k10"],
    &["bus", "publish", "t", "v{n}"],
    &["bus", "subscribe", "--replay", "20"],
    &["bus", "subscribe", "topic", "--replay", "20", "--lineage"],
    &["event", "list", "-n", "20"],
    &["event", "list", "-n", "20", "--type", "lock.*"],
    &["event", "list", "-n", "20", "--type", "*", "--since", "1h"],
    &["event", "list", "-n", "20", "--until", "1h"],
    &["event", "list", "-n", "20", "--after", "5"],
    &["tag", "list", "fix-login"],
    &["tag", "set", "fix-login", "k={n}"],
    &["lock", "list"],
    &["lock", "list", "web"],
    &["lock", "acquire", "lib/{n}", "--ttl", "1ms"],
    &["health", "show"],
    &["health", "show", "--history", "-n", "20"],
    &["health", "report", "pass"],
    &["session", "show"],
    &["op", "log", "-n", "20"],
];

/// What lists all sessions costs something for each of them; and all that a session has in its cache is counted.
const FOR_EACH: &[&[&str]] = &[
    &["session", "list"],
    &["session", "list", "--tag", "number=7"],
    &["session", "list", "--status", "review"],
    &["session", "list", "--health", "failing"],
    &["cache", "stats"],
    &["tag", "list", "--tag", "number=7"],
];

/// What the commands of a scene are about.
struct Scene {
    world: World,
    note: String,
    ask: String,
    /// How many commands there were.
    count: usize,
}

impl Scene {
    fn new(part: u32) -> Self {
        let world = World::with_web();
        std::fs::write(world.path("web.toml"), "[actions.commit]\ngrants = 1\nhealth = \"passing\"\n").unwrap();
        world.ok(["policy", "set", "web", "--file", "web.toml"]);
        fill(&world.data(), part);
        let one = |args: &[&str]| world.ok([&["-s", "fix-login"], args].concat()).trim().to_owned();
        let note = one(&["annotation", "add", "index.html:1", "-m", "x", "-q"]);
        let ask = one(&["approval", "request", "ship", "--grants", "100", "-q"]);
        if let Some(dir) = std::env::var_os("AETHER_TEST_SCALE_KEEP").filter(|_| part == 1) {
            world.sh(&format!("cp -a data '{}'", dir.to_str().unwrap()));
        }
        Self { world, note, ask, count: 0 }
    }

    /// Runs a command once in a shell that says `measure` of it; returns what that printed.
    fn measured(&mut self, args: &[&str], measure: &str) -> String {
        self.count += 1;
        let number = self.count.to_string();
        let fit = |arg: &&str| arg.replace("{n}", &number).replace("{note}", &self.note).replace("{ask}", &self.ask);
        let args: Vec<String> = args.iter().map(fit).collect();
        let mut command = self.world.command("bash");
        // Each grant has to be another's.
        command.args(["-c", measure, "bash"]).args(&args).env("AETHER_ACTOR", format!("actor-{number}"));
        let ended = end(&mut command);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.err
    }

    /// Bytes that a command reads beyond one that asks for next to nothing, and so for what is in the catalog's log by then; the
    /// least of two times, because one of them may fold that log.
    fn bytes_read(&mut self, args: &[&str]) -> u64 {
        let script = r#"aether -s fix-login "$@" >/dev/null && cat /proc/$$/io >&2"#;
        let mut beyond = || {
            let least = self.read_by(&["tag", "list", "fix-login"], script);
            self.read_by(args, script).saturating_sub(least)
        };
        beyond().min(beyond())
    }

    fn read_by(&mut self, args: &[&str], script: &str) -> u64 {
        let said = self.measured(args, script);
        let line = said.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        line.parse().unwrap()
    }

    /// Milliseconds of the processor, user and system, that a command takes, the least of several times.
    fn processor_ms(&mut self, args: &[&str]) -> f64 {
        let script = r#"TIMEFORMAT='%3U %3S'; time aether -s fix-login "$@" >/dev/null"#;
        let mut once = || {
            let said = self.measured(args, script);
            let seconds = said.lines().last().unwrap().split(' ').map(|text| text.parse::<f64>().unwrap());
            seconds.sum::<f64>() * 1000.0
        };
        (0..9).map(|_| once()).fold(f64::INFINITY, f64::min)
    }
}

/// Fills a catalog with the `part`-th part of the whole.
fn fill(data: &Path, part: u32) {
    const AT_ONCE: u32 = 10_000;
    let mut catalog = Catalog::open(data).unwrap();
    let own = catalog.view().session("fix-login").unwrap();
    let mut round = 0;
    let mut act = || {
        round += 1;
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&u32::to_le_bytes(round));
        let actor = ["ann", "bob", "eve"][round as usize % 3].into();
        Act { actor, command: "fill".into(), now_ns: i64::from(round) << 32, seed }
    };
    let count = (1000 / part).max(4);
    let make = |tx: &mut Tx<'_>| {
        let made = (0..count).map(|at| {
            let id = tx.create_session(&format!("s{at}"), &own.base, None)?;
            tx.set_tag(&id, "number", &at.to_string())?;
            tx.view().session(&id)
        });
        made.collect::<Result<Vec<_>, Error>>()
    };
    let mut sessions = catalog.write::<_, Error>(&act(), make).unwrap();
    sessions[0] = own.clone();
    let each = |numbers: std::ops::Range<u32>| numbers.map(|at| (at, &sessions[(at % count) as usize]));
    for start in (0..100_000 / part).step_by(AT_ONCE as usize) {
        let all = start..(start + AT_ONCE).min(100_000 / part);
        let notes = |tx: &mut Tx<'_>| each(all.clone()).try_for_each(|(at, session)| note(tx, at, session));
        catalog.write::<_, Error>(&act(), notes).unwrap();
        let keys: Vec<_> = all.clone().map(|at| format!("k{at}")).collect();
        let new = |key| {
            let (hash, condition) = (*blake3::hash(b"value").as_bytes(), CacheCondition::Any);
            NewCacheValue { key, bytes: b"value", hash, expires_ns: None, condition }
        };
        let (first, second) = keys.split_at(keys.len() / 2);
        let values: Vec<_> = first.iter().map(|key| new(key.as_str())).collect();
        catalog.write::<_, Error>(&act(), |tx| tx.import_cache(&own.id, &values).map(drop)).unwrap();
        let entries = |tx: &mut Tx<'_>| {
            second
                .iter()
                .zip(sessions.iter().cycle())
                .try_for_each(|(key, session)| tx.import_cache(&session.id, &[new(key.as_str())]).map(drop))
        };
        catalog.write::<_, Error>(&act(), entries).unwrap();
        let limits = BusLimits { messages: 100_000, size_bytes: 64 << 20 };
        for (session, keys) in sessions.iter().zip(keys.chunks(keys.len() / 2)) {
            let messages: Vec<_> = keys.iter().map(|key| ("topic".to_owned(), key.clone().into_bytes())).collect();
            catalog.publish(&act(), &session.id, &messages, limits).unwrap();
        }
    }
    for start in (0..10_000 / part).step_by(100) {
        let all = start..(start + 100).min(10_000 / part);
        let asked = |tx: &mut Tx<'_>| each(all.clone()).try_for_each(|(at, session)| ask_and_report(tx, at, session));
        catalog.write::<_, Error>(&act(), asked).unwrap();
    }
    for at in 0..(100 / part).max(1) {
        let pattern = format!("held/{at}");
        let (source, pattern) = (own.base.source.as_deref().unwrap(), pattern.as_bytes());
        let lock =
            NewLock { source, pattern, is_literal: true, session: &own.id, message: "busy", expires_ns: i64::MAX };
        catalog.write::<_, Error>(&act(), |tx| tx.create_lock(&lock).map(drop)).unwrap();
    }
    for start in (0..1_000_000 / part).step_by(AT_ONCE as usize) {
        let all = start..(start + AT_ONCE).min(1_000_000 / part);
        let events = |tx: &mut Tx<'_>| each(all.clone()).try_for_each(|(at, session)| event(tx, at, session));
        catalog.write::<_, Error>(&act(), events).unwrap();
    }
    // Commands of people: each an operation that could be undone.
    for at in 0..20_000 / part {
        let session = &sessions[(at % count) as usize];
        catalog
            .write::<_, Error>(&act(), |tx| tx.tag(ObjectType::Session, &session.id, "turn", &at.to_string()))
            .unwrap();
    }
}

fn note(tx: &mut Tx<'_>, at: u32, session: &Session) -> Result<(), Error> {
    let (path, text) = if at.is_multiple_of(3) { ("lib/app.js", "go();\n") } else { ("index.html", "<p>hello</p>\n") };
    let new = NewAnnotation {
        path: BytePath::parse(path.as_bytes()).unwrap(),
        lines: Some((1, 1)),
        content: Some(ObjectId(*blake3::hash(text.as_bytes()).as_bytes())),
        root: session.base.onto.unwrap(),
        text: format!("note {at}"),
    };
    tx.create_annotation(session, &new).map(drop)
}

fn ask_and_report(tx: &mut Tx<'_>, at: u32, session: &Session) -> Result<(), Error> {
    let content = ObjectId(*blake3::hash(&at.to_le_bytes()).as_bytes());
    let onto = session.base.onto.unwrap();
    let new = NewApproval {
        action: ["commit", "merge", "ship"][at as usize % 3].into(),
        content: ChangeSetHash(content),
        root: onto,
        onto,
        reason: format!("reason {at}"),
        details: None,
        needed: 1,
        freezes: false,
        expires_ns: None,
    };
    tx.create_approval(session, &new)?;
    let result = NewHealth {
        is_passing: !at.is_multiple_of(3),
        content,
        message: String::new(),
        command: None,
        exit_code: Some(0),
        counts: None,
        failed: Vec::new(),
    };
    tx.report_health(&session.id, &result)?;
    Ok(())
}

fn event(tx: &mut Tx<'_>, at: u32, session: &Session) -> Result<(), Error> {
    let what = ["session.tag", "session.run", "checkpoint.create", "cache.set", "session.status"][at as usize % 5];
    let details = serde_json::json!({ "key": "k", "value": "v", "was": null, "session": session.id });
    match what {
        "checkpoint.create" => tx.event(what, ObjectType::Checkpoint, &format!("c-{at:010}"), &details),
        _ => tx.event(what, ObjectType::Session, &session.id, &details),
    }
}

#[test]
fn commands_read_what_they_ask_for_however_much_the_catalog_holds() {
    // Each session has as much in both, but there are more. Beyond this it would be a table, or an index of one: the smallest
    // has some hundred kilobytes.
    const MORE_BYTES: u64 = 300 << 10;
    let (mut small, mut large) = (Scene::new(100), Scene::new(20));
    let mut over = Vec::new();
    for args in COMMANDS {
        let (few, many) = (small.bytes_read(args), large.bytes_read(args));
        if many > few + MORE_BYTES {
            over.push(format!("{few} B read with a small catalog, {many} B with a large one: {}", args.join(" ")));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
#[allow(clippy::disallowed_macros, reason = "the figures are what a full run is for")]
fn commands_take_some_milliseconds_of_the_processor_however_much_the_catalog_holds() {
    let is_full = std::env::var_os("AETHER_TEST_SCALE").is_some_and(|value| value == "full");
    let part = if is_full { 1 } else { 100 };
    let mut scene = Scene::new(part);
    let mut over = Vec::new();
    for args in COMMANDS.iter().chain(FOR_EACH) {
        let took = scene.processor_ms(args);
        let line = format!("{took:5.1} ms: {}", args.join(" "));
        if is_full {
            println!("{line}");
        }
        // On a busy machine without optimisation it is a matter of orders.
        if took > if is_full { 10.0 } else { 200.0 } {
            over.push(line);
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}
