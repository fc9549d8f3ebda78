//! The whole data directory after a power cut: the program is watched, and what may be left of all it did, after any
//! system call, is put together anew and opened by the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use aether::disk::SimDisk;
use serde_json::Value;

use super::trace::{Trace, traced};
use crate::cli::{World, end};
use crate::generated::rng::Rng;
use crate::generated::shrink;

/// A moment at which something was promised.
#[derive(Debug)]
struct Promise {
    /// The number of events before the command began, or the file was written, and when it was done.
    begun: usize,
    done: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The catalog says this from now on.
    Catalog(Vec<String>),
    /// So many files are in the session, and whether that was promised.
    Files(usize, bool),
}

struct Story {
    world: World,
    trace: Trace,
    log: PathBuf,
    promises: Vec<Promise>,
}

/// What the catalog says of sources and sessions.
fn catalog(world: &World) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for noun in ["source", "session"] {
        let ended = end(world.aether([noun, "list", "--json"]).stderr(Stdio::piped()));
        if ended.code != 0 {
            return Err(format!("{noun} list: {ended:?}"));
        }
        for line in ended.out.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            all.push(format!("{} {} {}", value["name"], value["id"], value["revision"]));
        }
    }
    Ok(all)
}

fn content(number: usize) -> String {
    format!("{number} ").repeat(1 + number * number * 7 % 3000)
}

impl Story {
    fn new() -> Self {
        let world = World::new();
        fs::create_dir(world.path("src")).unwrap();
        for number in 0..20 {
            fs::write(world.path(&format!("src/{number}")), content(number * 5)).unwrap();
        }
        let (trace, log) = (Trace::new(&world.data()), world.path("strace.log"));
        Self { world, trace, log, promises: Vec::new() }
    }

    /// Runs a command, as watched.
    fn run(&mut self, line: &str) -> String {
        let ended = end(&mut traced(&self.world.aether(line.split(' ')), &self.log, true));
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        self.trace.another();
        self.trace.read(&self.log);
        ended.out
    }

    /// A command that changes the catalog.
    fn ok(&mut self, line: &str) {
        let begun = self.trace.events().len();
        self.run(line);
        let done = self.trace.events().len();
        let mut all = Vec::new();
        for noun in ["source", "session"] {
            let listed = self.run(&format!("{noun} list --json"));
            for line in listed.lines() {
                let value: Value = serde_json::from_str(line).unwrap();
                all.push(format!("{} {} {}", value["name"], value["id"], value["revision"]));
            }
        }
        self.promises.push(Promise { begun, done, what: What::Catalog(all) });
    }

    /// Mounts the session and writes files, the `from`-th to the one before `upto`.
    fn write(&mut self, from: usize, upto: usize) {
        let at = self.world.path("mnt");
        fs::create_dir_all(&at).unwrap();
        let command = self.world.aether(["session", "mount", "one", "mnt", "--foreground"]);
        self.trace.another();
        let mut strace = traced(&command, &self.log, true).stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !at.join("19").exists() {
            assert!(Instant::now() < deadline, "it was not mounted");
            std::thread::sleep(Duration::from_millis(20));
        }
        for number in from..upto {
            self.trace.read(&self.log);
            let begun = self.trace.events().len();
            let path = at.join(format!("new-{number}"));
            fs::write(&path, content(number)).unwrap();
            let promised = number % 7 == 3;
            if promised {
                fs::File::open(&path).unwrap().sync_all().unwrap();
            }
            self.trace.read(&self.log);
            let done = self.trace.events().len();
            self.promises.push(Promise { begun, done, what: What::Files(number + 1, promised) });
        }
        self.world.ok(["session", "unmount", "one"]);
        assert!(strace.wait().unwrap().success());
        self.trace.read(&self.log);
        let done = self.trace.events().len();
        self.promises.push(Promise { begun: done, done, what: What::Files(upto, true) });
    }

    /// What may be found after the first `events` events: the last thing promised, and all that was begun since.
    fn allowed<T>(&self, events: usize, pick: impl Fn(&What) -> Option<(T, bool)>) -> Vec<T> {
        let mut allowed = Vec::new();
        for promise in &self.promises {
            let Some((state, promised)) = pick(&promise.what) else { continue };
            if promised && promise.done <= events {
                allowed.clear();
            }
            if promise.begun < events || promise.done <= events {
                allowed.push(state);
            }
        }
        allowed
    }

    /// Puts together what a power cut leaves, and looks at it.
    fn cut(&self, disk: &SimDisk, events: usize, seed: u64) {
        let say = format!("power cut {seed} after event {events}");
        let left = disk.after_power_cut(events, seed);
        let world = World::new();
        rebuild(&left, &self.world.data(), &world.data());
        let found = catalog(&world).unwrap_or_else(|error| panic!("{say}: {error}"));
        let catalogs = self.allowed(events, |what| match what {
            What::Catalog(all) => Some((all.clone(), true)),
            What::Files(..) => None,
        });
        assert!(catalogs.contains(&found) || found.is_empty() && events < self.promises[0].done, "{say}: {found:?}");
        if !found.iter().any(|line| line.starts_with("\"one\"")) {
            return;
        }
        let mut counts = self.allowed(events, |what| match what {
            What::Files(count, promised) => Some((*count, *promised)),
            What::Catalog(_) => None,
        });
        let none_promised =
            !self.promises.iter().any(|promise| matches!(promise.what, What::Files(_, true)) && promise.done <= events);
        if none_promised {
            counts.push(0);
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        let at = PathBuf::from(world.ok(["session", "mount", "one"]).trim_end());
        let files = check(&at, &say);
        world.ok(["session", "unmount", "one"]);
        assert!(files >= *least && files <= *most, "{say}: {files} files, of {least} to {most}");
    }
}

/// Checks all files of the session, and returns how many were made in it: the last one may be on its way.
fn check(at: &Path, say: &str) -> usize {
    let read = |name: &str| fs::read_to_string(at.join(name));
    for number in 0..20 {
        assert_eq!(read(&number.to_string()).unwrap(), content(number * 5), "{say}: {number}");
    }
    let count = fs::read_dir(at).unwrap().count() - 20;
    for number in 0..count {
        let found = read(&format!("new-{number}")).unwrap();
        let want = content(number);
        assert!(found == want || number + 1 == count && want.starts_with(&found), "{say}: new-{number}");
    }
    count
}

/// Writes a simulated disk's data directory to a real one.
fn rebuild(disk: &SimDisk, from: &Path, to: &Path) {
    for dir in disk.dirs().iter().filter(|dir| dir.starts_with(from)) {
        fs::create_dir(to.join(dir.strip_prefix(from).unwrap())).unwrap();
    }
    for path in disk.files().iter().filter(|path| path.starts_with(from)) {
        fs::write(to.join(path.strip_prefix(from).unwrap()), disk.bytes(path).unwrap()).unwrap();
    }
}

#[test]
fn after_a_power_cut_the_data_directory_opens_with_everything_promised() {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
        return;
    }
    let mut story = Story::new();
    story.ok("source create web src");
    story.ok("session create one --source web");
    story.write(0, 20);
    story.ok("session create two --source web");
    fs::write(story.world.path("src/more"), content(900)).unwrap();
    story.ok("source refresh web");
    story.ok("session rename two second");
    story.write(20, 30);
    story.ok("session delete second");
    let events = story.trace.events().to_vec();
    let all = events.len();
    let disk = SimDisk::after_events(events);
    // A fixed seed has 20 cuts; AETHER_TEST_SEEDS multiplies the seeds.
    for seed in shrink::seeds(20, 2) {
        let mut rng = Rng::new(seed);
        for _ in 0..20 {
            let (events, seed) = (rng.below(all as u64 + 1) as usize, rng.next());
            story.cut(&disk, events, seed);
        }
    }
}
