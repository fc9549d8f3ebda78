//! Restoring a mounted session, as programs see it that are in the middle of something.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::inotify::{self, ReadFlags, WatchFlags};

use crate::fixture::skipped;
use crate::workspace::Workspace;

/// A tree with a file, a file that grows, and a directory.
fn origin(workspace: &Workspace) -> std::path::PathBuf {
    let origin = workspace.path("origin");
    fs::create_dir_all(origin.join("dir/deep")).unwrap();
    for (name, text) in
        [("file", "as it was\n"), ("log", "first\n"), ("dir/inner", "inner\n"), ("dir/deep/leaf", "leaf\n")]
    {
        fs::write(origin.join(name), text).unwrap();
    }
    origin
}

/// A shell in a directory, which does what it is told line by line.
struct Shell {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn new(dir: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; while read -r line; do eval \"$line\" 2>&1; echo done; done"]);
        let mut child = command.current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        answers.read_line(&mut String::new()).unwrap();
        Self { child, answers }
    }

    fn run(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut all = String::new();
        loop {
            let mut answer = String::new();
            assert!(self.answers.read_line(&mut answer).unwrap() > 0, "the shell has ended");
            if answer == "done\n" {
                return all;
            }
            all.push_str(&answer);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What `stat` says of a file, and what is in it.
fn look(path: &Path) -> (u64, u64, i64, i64, i64, i64, String) {
    let is = fs::metadata(path).unwrap();
    let text = fs::read_to_string(path).unwrap();
    (is.ino(), is.size(), is.mtime(), is.mtime_nsec(), is.ctime(), is.ctime_nsec(), text)
}

#[test]
fn what_is_restored_is_seen_at_once_by_who_looks_again() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    workspace.session_on(&origin(&workspace));
    let mount = workspace.mount();
    let at = |name: &str| mount.root().join(name);
    fs::write(at("added"), "added\n").unwrap();
    workspace.aether(&["checkpoint", "create", "session"]);
    let names = ["file", "log", "dir/inner", "dir/deep/leaf", "added"];
    let before = names.map(|name| look(&at(name)));

    let mut reader = File::open(at("file")).unwrap();
    fs::write(at("file"), "something else that is longer\n").unwrap();
    fs::rename(at("dir"), at("moved")).unwrap();
    fs::remove_file(at("moved/deep/leaf")).unwrap();
    fs::remove_file(at("added")).unwrap();
    fs::create_dir(at("new")).unwrap();
    fs::write(at("new/file"), "new\n").unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "something else that is longer\n");
    // The kernel remembers that these are not there.
    assert!(!at("dir").exists() && !at("added").exists() && !at("moved/deep/leaf").exists());
    assert_eq!(fs::read_dir(mount.root()).unwrap().count(), 4);

    workspace.aether(&["checkpoint", "restore", "session@1"]);

    assert_eq!(names.map(|name| look(&at(name))), before, "numbers, times and bytes");
    assert!(!at("moved").exists() && !at("new").exists());
    assert_eq!(fs::read_dir(mount.root()).unwrap().count(), 4);
    // Who had it open for reading reads the bytes that are there now, as after a write.
    reader.seek(SeekFrom::Start(0)).unwrap();
    text.clear();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "as it was\n");
    drop(reader);
    // And the state before is a checkpoint.
    workspace.aether(&["restore", "session@2"]);
    assert_eq!(fs::read_to_string(at("new/file")).unwrap(), "new\n");
    assert!(!at("dir").exists());
    mount.end();
}

#[test]
fn a_file_that_is_written_to_goes_on_without_a_name() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    workspace.session_on(&origin(&workspace));
    let mount = workspace.mount();
    let log = mount.root().join("log");
    workspace.aether(&["checkpoint", "create", "session"]);
    let mut writer = OpenOptions::new().append(true).read(true).open(&log).unwrap();
    writer.write_all(b"second\n").unwrap();
    workspace.aether(&["restore", "session@1"]);

    writer.write_all(b"third\n").unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "first\n");
    let mut text = String::new();
    writer.seek(SeekFrom::Start(0)).unwrap();
    writer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "first\nsecond\nthird\n");
    assert_eq!(writer.metadata().unwrap().nlink(), 0);
    assert_ne!(writer.metadata().unwrap().ino(), fs::metadata(&log).unwrap().ino());
    drop(writer);
    mount.end();
}

#[test]
fn who_works_in_a_directory_that_is_gone_finds_it_gone() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    workspace.session_on(&origin(&workspace));
    let mount = workspace.mount();
    workspace.aether(&["checkpoint", "create", "session"]);
    let below = mount.root().join("new/below");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("file"), "x").unwrap();
    let mut lost = Shell::new(&below);
    let mut stays = Shell::new(&mount.root().join("dir/deep"));
    assert_eq!(lost.run("cat file; echo"), "x\n");
    fs::remove_file(mount.root().join("dir/deep/leaf")).unwrap();

    workspace.aether(&["restore", "session@1"]);

    assert_eq!(lost.run("ls -A; cat file"), "cat: file: No such file or directory\n");
    assert!(lost.run("touch other").contains("No such file or directory"));
    assert!(lost.run("ls -ld /proc/self/cwd").contains("(deleted)"));
    assert_eq!(stays.run("cat leaf; echo y > other; cat ../deep/other"), "leaf\ny\n");
    drop((lost, stays));
    mount.end();
}

/// Watches on paths, and what they saw: the path and what happened, with the name below a directory.
struct Watches {
    queue: rustix::fd::OwnedFd,
    paths: Vec<(i32, String)>,
}

impl Watches {
    fn on(root: &Path, paths: &[&str]) -> Self {
        let queue = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        let changes = changes | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        let watch = |path: &&str| (inotify::add_watch(&queue, root.join(path), changes).unwrap(), (*path).to_owned());
        let paths = paths.iter().map(watch).collect();
        Self { queue, paths }
    }

    /// What came since the last time, each once, in order.
    fn seen(&self) -> BTreeSet<String> {
        let mut buf = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.queue, &mut buf);
        let mut seen = BTreeSet::new();
        loop {
            let event = match reader.next() {
                Err(rustix::io::Errno::AGAIN) => return seen,
                event => event.unwrap(),
            };
            let path = &self.paths.iter().find(|(watch, _)| *watch == event.wd()).unwrap().1;
            let name = event.file_name().map_or("", |name| name.to_str().unwrap());
            for (flag, word) in [
                (ReadFlags::MODIFY, "modify"),
                (ReadFlags::CREATE, "create"),
                (ReadFlags::DELETE, "delete"),
                (ReadFlags::DELETE_SELF, "gone"),
                (ReadFlags::IGNORED, "ended"),
            ] {
                if event.events().contains(flag) {
                    seen.insert(format!("{path}: {word} {name}").trim_end().to_owned());
                }
            }
        }
    }
}

#[test]
fn who_watches_hears_what_goes_and_goes_on_watching_what_stays() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    workspace.session_on(&origin(&workspace));
    let mount = workspace.mount();
    let at = |name: &str| mount.root().join(name);
    workspace.aether(&["checkpoint", "create", "session"]);
    fs::create_dir(at("new")).unwrap();
    for name in ["new/file", "added", "file", "dir/deep/leaf"] {
        fs::write(at(name), "of later\n").unwrap();
    }
    fs::remove_file(at("dir/inner")).unwrap();
    let watches =
        Watches::on(mount.root(), &["", "dir", "dir/deep", "dir/deep/leaf", "file", "new", "new/file", "added"]);
    assert!(watches.seen().is_empty());

    workspace.aether(&["restore", "session@1"]);

    let seen = watches.seen();
    let set = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<_>>();
    let gone = set(&["added: gone", "added: ended", "new: gone", "new: ended", "new/file: gone", "new/file: ended"]);
    assert!(seen.is_superset(&gone), "{seen:?}");
    // The watches on what stays are whole, also on files that have other bytes now and in directories with other names.
    let stays = |line: &String| !["new", "added"].iter().any(|name| line.starts_with(name));
    assert!(
        !seen.iter().filter(|line| stays(line)).any(|line| line.ends_with("gone") || line.ends_with("ended")),
        "{seen:?}"
    );
    assert_eq!(fs::read_to_string(at("dir/inner")).unwrap(), "inner\n");
    for name in ["file", "dir/deep/leaf", "dir/inner"] {
        OpenOptions::new().append(true).open(at(name)).unwrap().write_all(b"more\n").unwrap();
    }
    fs::write(at("new"), "a file this time").unwrap();
    fs::remove_file(at("dir/deep/leaf")).unwrap();
    let expected = [
        ": create new",
        ": modify file",
        ": modify new",
        "dir/deep/leaf: ended",
        "dir/deep/leaf: gone",
        "dir/deep/leaf: modify",
        "dir/deep: delete leaf",
        "dir/deep: modify leaf",
        "dir: modify inner",
        "file: modify",
    ];
    assert_eq!(watches.seen(), set(&expected));
    mount.end();
}

#[test]
fn git_finds_a_restored_tree_warm() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = origin(&workspace);
    let git = |dir: &Path, args: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(dir).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(args);
        let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    git(&origin, &["init", "-q"]);
    git(&origin, &["add", "-A"]);
    git(&origin, &["commit", "-qm", "all"]);
    workspace.session_on(&origin);
    let mount = workspace.mount();
    git(mount.root(), &["status", "--porcelain"]);
    workspace.aether(&["checkpoint", "create", "session"]);
    fs::write(mount.root().join("file"), "other").unwrap();
    fs::remove_dir_all(mount.root().join("dir")).unwrap();
    fs::remove_dir_all(mount.root().join(".git")).unwrap();

    workspace.aether(&["restore", "session@1"]);

    // The index knows each file by times, number and size: none has to be read again.
    assert_eq!(git(mount.root(), &["diff-files", "--name-only"]), "");
    assert_eq!(git(mount.root(), &["status", "--porcelain"]), "");
    mount.end();
}

#[test]
fn some_paths_are_restored_and_others_stay() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    workspace.session_on(&origin(&workspace));
    let mount = workspace.mount();
    let at = |name: &str| mount.root().join(name);
    workspace.aether(&["checkpoint", "create", "session"]);
    for name in ["file", "log", "dir/inner"] {
        fs::write(at(name), "changed").unwrap();
    }
    fs::write(at("dir/more"), "more").unwrap();
    let dry = workspace.aether(&["restore", "session@1", "--path", "dir", "--path", "log", "--dry-run"]);
    assert_eq!(String::from_utf8(dry.stdout).unwrap(), "M\tdir/inner\nD\tdir/more\nM\tlog\n");
    assert_eq!(fs::read_to_string(at("log")).unwrap(), "changed");

    // Paths are taken from the working directory.
    let mut command = workspace.command(&["restore", "1", "--path", "inner", "--path", "../log"].map(AsRef::as_ref));
    assert!(command.current_dir(at("dir")).status().unwrap().success());
    let read = |name: &str| fs::read_to_string(at(name)).unwrap();
    assert_eq!((read("dir/inner"), read("log")), ("inner\n".into(), "first\n".into()));
    assert_eq!((read("file"), read("dir/more")), ("changed".into(), "more".into()));
    let mut outside = workspace.command(&["restore", "@1", "--path", "../../x"].map(AsRef::as_ref));
    assert_eq!(outside.current_dir(at("dir")).output().unwrap().status.code(), Some(2));
    mount.end();

    // And without a mount.
    workspace.aether(&["restore", "session@1", "--path", "dir"]);
    let mount = workspace.mount();
    assert!(!mount.root().join("dir/more").exists());
    assert_eq!(fs::read_to_string(mount.root().join("file")).unwrap(), "changed");
    mount.end();
}

#[test]
fn nothing_that_a_program_wrote_while_a_restore_ran_is_lost() {
    use std::sync::atomic::{AtomicBool, Ordering};

    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    workspace.session_on(&origin(&workspace));
    let mount = workspace.mount();
    workspace.aether(&["checkpoint", "create", "session"]);
    let (root, stop) = (mount.root().to_owned(), AtomicBool::new(false));
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                fs::write(root.join(format!("w{number}")), format!("{number}")).unwrap();
                number += 1;
            }
            number
        });
        for _ in 0..5 {
            std::thread::sleep(std::time::Duration::from_millis(40));
            workspace.aether(&["restore", "session@1"]);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let mut kept = BTreeSet::new();
    let aether = |args: &[&str]| String::from_utf8(workspace.aether(args).stdout).unwrap();
    let mut see = |listed: String| {
        kept.extend(listed.lines().filter_map(|name| name.strip_prefix('w')?.parse::<u32>().ok()));
    };
    let count = aether(&["checkpoint", "list", "session", "--json"]).lines().count();
    assert!(count >= 6, "{count}");
    (2..=count).for_each(|number| see(aether(&["ls", &format!("session@{number}")])));
    see(aether(&["ls", "session"]));
    let lost: Vec<_> = (0..written).filter(|number| !kept.contains(number)).collect();
    assert!(lost.is_empty(), "{lost:?} of {written}");
    assert!(written > 10, "{written}");
}
