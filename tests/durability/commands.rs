//! A command that printed success has made durable what it did.

use std::fs;
use std::path::PathBuf;

use super::order::Undurable;
use super::trace::{Trace, traced};
use crate::cli::{World, end};

struct Traced {
    world: World,
    trace: Trace,
    log: PathBuf,
}

impl Traced {
    fn new() -> Self {
        let world = World::new();
        fs::create_dir_all(world.path("src/web/lib")).unwrap();
        for number in 0..40 {
            fs::write(world.path(&format!("src/web/lib/{number}")), format!("file {number}\n").repeat(500)).unwrap();
        }
        let (trace, log) = (Trace::new(&world.data()), world.path("strace.log"));
        Self { world, trace, log }
    }

    /// Runs a command that must succeed and make everything durable.
    fn ok(&mut self, line: &str) {
        let command = self.world.aether(line.split(' '));
        let ended = end(&mut traced(&command, &self.log, false));
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        let before = self.trace.events().len();
        self.trace.another();
        self.trace.read(&self.log);
        assert!(self.trace.events().len() > before, "`{line}` left no trace");
        Undurable::after(self.trace.events()).expect_nothing(line);
    }
}

#[test]
fn what_a_command_did_is_durable_when_it_says_so() {
    let mut traced = Traced::new();
    traced.ok("source create web src/web");
    fs::write(traced.world.path("src/web/lib/new"), "new").unwrap();
    traced.ok("source refresh web");
    traced.ok("source rename web site");
    traced.ok("session create one --source site");
    traced.ok("session create two --empty");
    traced.ok("session rename one first");
    traced.ok("session delete two");
    traced.ok("source delete site --force");
}

#[test]
fn the_directories_that_lead_to_the_data_are_durable_too() {
    let mut traced = Traced::new();
    let deep = traced.world.path("a/b/c/data");
    let command = traced.world.aether(["source", "create", "web", "src/web"]);
    let mut command = super::trace::traced(&command, &traced.log, false);
    command.env("AETHER_HOME", &deep);
    let ended = end(&mut command);
    assert_eq!(ended.code, 0, "{ended:?}");
    traced.trace = Trace::new(&traced.world.path("a"));
    traced.trace.read(&traced.log);
    Undurable::after(traced.trace.events()).expect_nothing("a directory deep down");
}
