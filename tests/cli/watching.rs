//! `source watch`.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::World;

struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(world: &World, more: &[&str]) -> Self {
        let mut command = world.aether(["source", "watch", "web", "--json"]);
        let pace: &[_] = if more.contains(&"--quiet-for") { &[] } else { &["--quiet-for", "300ms"] };
        let mut process = command.args(pace).args(more).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The number of the next revision that it made.
    fn next(&mut self) -> u64 {
        let line: Value = serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
        line["newest"]["number"].as_u64().unwrap()
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        let begun = Instant::now();
        let code = self.process.wait().unwrap().code();
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert!(self.lines.next().is_none());
        code
    }
}

#[test]
fn a_directory_is_imported_when_it_has_changed_and_is_quiet() {
    let world = World::with_web();
    fs::write(world.path("src/web/before"), "changed before it was watched").unwrap();
    let mut watch = Watch::start(&world, &[]);
    assert_eq!(watch.next(), 2);
    // Many changes without a pause are one revision, those in directories that are new as well.
    fs::create_dir_all(world.path("src/web/new/deep")).unwrap();
    for number in 0..20 {
        fs::write(world.path("src/web/new/deep/file"), number.to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(watch.next(), 3);
    assert_eq!(world.ok(["cat", "web@3:new/deep/file"]), "19");
    fs::write(world.path("src/web/new/deep/file"), "again").unwrap();
    assert_eq!(watch.next(), 4);
    fs::remove_dir_all(world.path("src/web/new")).unwrap();
    assert_eq!(watch.next(), 5);
    assert_eq!(watch.end(Signal::INT), Some(0));
    assert_eq!(world.json(["source", "log", "web"]).len(), 5);
    let times: Vec<_> = world.json(["source", "log", "web"]).iter().map(|row| row["created"].to_string()).collect();
    assert!(times.windows(2).all(|pair| pair[0] > pair[1]), "each has its own time: {times:?}");
}

#[test]
fn what_is_left_out_wakes_nobody_and_reading_does_not_either() {
    let world = World::with_web();
    fs::create_dir(world.path("src/web/out")).unwrap();
    world.ok(["source", "delete", "web", "--force"]);
    world.ok(["source", "create", "web", "src/web", "--exclude", "out"]);
    let mut watch = Watch::start(&world, &[]);
    fs::write(world.path("src/web/out/x"), "not taken").unwrap();
    fs::read(world.path("src/web/index.html")).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    fs::write(world.path("src/web/index.html"), "taken").unwrap();
    assert_eq!(watch.next(), 2);
    assert_eq!(watch.end(Signal::TERM), Some(0));
}

#[test]
fn a_change_without_end_is_imported_all_the_same() {
    let world = World::with_web();
    let mut watch = Watch::start(&world, &["--quiet-for", "1h", "--at-most", "1s", "--once"]);
    let busy = || fs::write(world.path("src/web/busy"), format!("{:?}", Instant::now())).unwrap();
    let begun = Instant::now();
    while watch.process.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing was imported");
        busy();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(watch.next(), 2);
    assert_eq!(watch.process.wait().unwrap().code(), Some(0));
}

#[test]
fn waiting_for_one_revision_that_never_comes_is_interrupted() {
    let world = World::with_web();
    let watch = Watch::start(&world, &["--once"]);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(watch.end(Signal::INT), Some(130));
}

#[test]
fn only_a_directory_that_is_there_can_be_watched() {
    let world = World::with_web();
    world.ok(["source", "create", "blank", "--empty"]);
    world.ok(["source", "create", "state", "--from", "fix-login"]);
    assert_eq!(world.run(["source", "watch", "blank"]).code, 1);
    let ended = world.run(["source", "watch", "state"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("not for an origin of kind `state`"), "{}", ended.err);
    fs::rename(world.path("src/web"), world.path("src/elsewhere")).unwrap();
    assert_eq!(world.run(["source", "watch", "web"]).code, 3);
}
