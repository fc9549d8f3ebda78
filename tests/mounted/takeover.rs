//! What programs see of it when the process that serves their mount is killed: a pause. And what they see when nobody can
//! take its place: no mount, at once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aether::daemon::control::Request;
use aether::daemon::{MountRecord, MountState, ProcessId, RunDir, mounts};
use aether::fuse::MountTable;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{needs_root, skipped};
use crate::users::NOBODY;
use crate::workspace::{Mount, Workspace};

const SOON: Duration = Duration::from_secs(20);

/// What a takeover may take. The program under test is not optimised, and other tests run beside it.
const PAUSE: Duration = Duration::from_secs(5);

/// Shown with `--nocapture`.
#[allow(clippy::disallowed_macros)]
fn report(what: &str, value: &dyn std::fmt::Debug) {
    println!("{what}: {value:?}");
}

fn base(workspace: &Workspace) {
    let origin = workspace.path("origin");
    for dir in 0..10 {
        fs::create_dir_all(origin.join(format!("d{dir}/deep"))).unwrap();
        for file in 0..20 {
            fs::write(origin.join(format!("d{dir}/deep/f{file}")), format!("{dir}/{file}\n").repeat(1000)).unwrap();
        }
    }
    fs::hard_link(origin.join("d0/deep/f0"), origin.join("d1/linked")).unwrap();
    fs::write(origin.join("d7/deep/held"), "7/7\n".repeat(1000)).unwrap();
    workspace.session_on(&origin);
}

pub fn run_dir(workspace: &Workspace) -> RunDir {
    RunDir::open(&workspace.path("../run/aether").canonicalize().unwrap()).unwrap()
}

pub fn record(workspace: &Workspace) -> MountRecord {
    let found = mounts(&run_dir(workspace)).unwrap();
    assert_eq!(found.len(), 1);
    found.into_iter().next().unwrap().0
}

/// Waits until another process than this one serves.
fn next_server(workspace: &Workspace, before: &ProcessId) -> MountRecord {
    let end = Instant::now() + SOON;
    loop {
        let now = record(workspace);
        if now.ready && now.process != *before {
            return now;
        }
        assert!(Instant::now() < end, "nobody takes over");
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn kill_server(workspace: &Workspace) -> MountRecord {
    let before = record(workspace).process;
    before.signal(Signal::KILL).unwrap();
    next_server(workspace, &before)
}

/// The processes of a mount, with what they are called: they are in one session of their own.
pub fn processes_of(record: &MountRecord) -> Vec<(i32, String)> {
    let session = |pid: i32| -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.to_owned())
    };
    let own = session(record.process.pid.cast_signed()).unwrap();
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let of_mount = all.filter(|pid| session(*pid).as_ref() == Some(&own));
    let name = |pid: i32| Some((pid, fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned()));
    of_mount.filter_map(name).collect()
}

/// The watcher of a mount, as soon as it is at work.
pub fn watcher_of(record: &MountRecord) -> i32 {
    let mut found = None;
    eventually("there is a watcher", SOON, || {
        found = processes_of(record).into_iter().map(|(pid, _)| pid).find(|pid| is_watcher(*pid));
        found.is_some()
    });
    found.unwrap_or_default()
}

/// Whether a thread of the process is called so: a test program does everything in another thread than its first.
fn is_watcher(pid: i32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.any(|name| name.trim_end() == "aether-watcher")
}

fn is_mounted(mount: &Mount<'_>) -> bool {
    MountTable::read().unwrap().at(mount.root()).is_some()
}

pub fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Programs that are at work until they are told to stop, and check what they see.
struct AtWork {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<u64>>,
}

impl AtWork {
    fn begin(root: &Path) -> Self {
        let mut work = Self { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new() };
        for dir in ["appended", "renamed", "made", "d3/deep/more"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        work.start(root.join("appended/file"), append);
        work.start(root.join("renamed"), rename);
        work.start(root.join("made"), make_and_remove);
        work.start(root.join("d3/deep/more"), make_and_remove);
        work.start(root.to_owned(), read_base);
        work
    }

    fn start(&mut self, at: PathBuf, mut step: impl FnMut(&Path, u64) + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || {
            let mut round = 0;
            while !stop.load(Ordering::SeqCst) {
                step(&at, round);
                round += 1;
            }
            round
        }));
    }

    /// Stops them; each has to have done something.
    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            assert!(thread.join().expect("no program saw an error") > 0);
        }
    }
}

fn append(file: &Path, round: u64) {
    let mut open = File::options().append(true).create(true).open(file).unwrap();
    writeln!(open, "line {round}").unwrap();
    open.sync_data().unwrap();
    if round.is_multiple_of(50) {
        let lines: String = (0..=round).map(|round| format!("line {round}\n")).collect();
        assert_eq!(fs::read_to_string(file).unwrap(), lines);
    }
}

fn rename(dir: &Path, round: u64) {
    let (old, new) = (dir.join(format!("name-{}", round % 7)), dir.join("name"));
    fs::write(&old, format!("{round}")).unwrap();
    fs::rename(&old, &new).unwrap();
    assert!(!old.exists());
    assert_eq!(fs::read_to_string(&new).unwrap(), format!("{round}"));
}

/// Everything that must not be done twice, or reported as done by somebody else.
fn make_and_remove(dir: &Path, round: u64) {
    let place = dir.join(format!("dir-{round}"));
    fs::create_dir(&place).unwrap();
    let file = File::create_new(place.join("file")).unwrap();
    fs::hard_link(place.join("file"), place.join("link")).unwrap();
    std::os::unix::fs::symlink("file", place.join("symlink")).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 2);
    rustix::fs::setxattr(place.join("file"), "user.a", b"1", rustix::fs::XattrFlags::CREATE).unwrap();
    rustix::fs::removexattr(place.join("file"), "user.a").unwrap();
    let (one, other) = (place.join("link"), place.join("symlink"));
    rustix::fs::renameat_with(rustix::fs::CWD, &one, rustix::fs::CWD, &other, rustix::fs::RenameFlags::EXCHANGE)
        .unwrap();
    assert!(fs::symlink_metadata(&one).unwrap().is_symlink() && fs::symlink_metadata(&other).unwrap().is_file());
    for name in ["file", "link", "symlink"] {
        fs::remove_file(place.join(name)).unwrap();
    }
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    fs::remove_dir(&place).unwrap();
}

fn read_base(root: &Path, round: u64) {
    let (dir, file) = (round % 10, round / 10 % 20);
    let path = root.join(format!("d{dir}/deep/f{file}"));
    // What is in the page cache would not be asked for.
    let open = File::open(&path).unwrap();
    rustix::fs::fadvise(&open, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{dir}/{file}\n").repeat(1000));
}

#[test]
fn programs_go_on_while_the_server_is_killed_again_and_again() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let root = mount.root().to_owned();
    let device = fs::metadata(&root).unwrap().dev();
    let unlinked = File::options().read(true).write(true).create_new(true).open(root.join("unlinked")).unwrap();
    unlinked.write_all_at(b"before", 0).unwrap();
    fs::remove_file(root.join("unlinked")).unwrap();
    let of_base = File::options().read(true).write(true).open(root.join("d7/deep/held")).unwrap();
    fs::remove_file(root.join("d7/deep/held")).unwrap();
    let locked = File::create(root.join("locked")).unwrap();
    flock(&locked, FlockOperation::LockExclusive).unwrap();
    let numbers = fs::metadata(root.join("d5/deep/f5")).unwrap().ino();

    let work = AtWork::begin(&root);
    let mut pauses = Vec::new();
    for round in 0..20u32 {
        thread::sleep(Duration::from_millis(u64::from(round * 37 % 200) + 260));
        let before = record(&workspace).process;
        let begun = Instant::now();
        before.signal(Signal::KILL).unwrap();
        assert!(!root.join(format!("no-such-name-{round}")).exists());
        pauses.push(begun.elapsed());
        unlinked.write_all_at(&round.to_le_bytes(), u64::from(round) * 4 + 6).unwrap();
        next_server(&workspace, &before);
    }
    work.end();
    pauses.sort();
    report("kill to next answer, median and longest", &(pauses[10], pauses[19]));
    assert!(pauses[10] < PAUSE, "{pauses:?}");

    let mut content = Vec::new();
    (&unlinked).seek(SeekFrom::Start(0)).unwrap();
    (&unlinked).read_to_end(&mut content).unwrap();
    assert_eq!(content[..6], *b"before");
    assert_eq!(content[6..], (0..20u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    let mut content = String::new();
    (&of_base).read_to_string(&mut content).unwrap();
    assert_eq!(content, "7/7\n".repeat(1000));
    let other = File::open(root.join("locked")).unwrap();
    assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err(), "the lock is still held");
    assert_eq!(
        (fs::metadata(&root).unwrap().dev(), fs::metadata(root.join("d5/deep/f5")).unwrap().ino()),
        (device, numbers)
    );
    drop((unlinked, of_base, locked, other));
    mount.end();
    let left = fs::read_dir(run_dir(&workspace).path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("m-"));
    assert_eq!(left.count(), 0, "no record and no socket is left");
}

#[test]
fn a_listing_in_progress_goes_on_where_it_was() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let dir = mount.root().join("d2");
    for number in 0..3000 {
        fs::write(dir.join(format!("a-name-that-is-not-short-{number}")), b"").unwrap();
    }
    for number in (0..3000).step_by(3) {
        fs::remove_file(dir.join(format!("a-name-that-is-not-short-{number}"))).unwrap();
    }
    let mut listing = fs::read_dir(&dir).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut seen: Vec<String> = listing.by_ref().take(5).map(name).collect();
    kill_server(&workspace);
    seen.extend(listing.map(name));
    assert_eq!(seen.len(), 2001);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 2001, "no name is listed twice");
    mount.end();
}

#[test]
fn space_of_an_unlinked_file_is_kept_until_it_is_closed_and_no_longer() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let data_bytes = || -> u64 {
        let sessions = fs::read_dir(workspace.path("../data/sessions")).unwrap();
        let mut todo: Vec<PathBuf> = sessions.map(|entry| entry.unwrap().path()).collect();
        let mut bytes = 0;
        while let Some(path) = todo.pop() {
            let meta = fs::metadata(&path).unwrap();
            bytes += meta.blocks() * 512;
            if meta.is_dir() {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        bytes
    };
    let content: Vec<u8> =
        (0..40u32 << 20).step_by(4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(mount.root().join("large"), &content).unwrap();
    let open = File::open(mount.root().join("large")).unwrap();
    kill_server(&workspace);
    fs::remove_file(mount.root().join("large")).unwrap();
    kill_server(&workspace);
    rustix::fs::fadvise(&open, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let mut read = vec![0; content.len()];
    open.read_exact_at(&mut read, 0).unwrap();
    assert!(read == content);
    let before = data_bytes();
    assert!(before > 38 << 20, "{before}");
    drop(open);
    eventually("its space is given back", SOON, || {
        // Space comes back after a sync.
        File::open(mount.root()).unwrap().sync_all().unwrap();
        data_bytes() < 8 << 20
    });
    mount.end();
}

/// Has the server killed at the moment when it wants to answer the next request, which is done by then.
fn kill_at_next_answer(workspace: &Workspace) -> (std::process::Child, ProcessId) {
    let server = record(workspace).process;
    let pid = server.pid.to_string();
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=writev", "-e", "inject=writev:signal=SIGKILL", "-p", &pid]);
    let strace = strace.stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually("strace holds every thread", SOON, || {
        let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.all(|task| {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        })
    });
    (strace, server)
}

#[test]
fn what_was_done_and_not_answered_is_not_done_twice() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let root = mount.root().to_owned();
    let path = |name: &str| root.join(name);
    fs::write(path("there"), b"there").unwrap();
    fs::write(path("other"), b"other").unwrap();
    fs::create_dir(path("empty")).unwrap();
    let file = File::options().append(true).read(true).open(path("there")).unwrap();
    let exchange = |one: &str, other: &str| {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(rustix::fs::CWD, path(one), rustix::fs::CWD, path(other), flags)
    };
    let create = rustix::fs::XattrFlags::CREATE;
    type Op<'a> = (&'a str, Box<dyn Fn() -> bool + 'a>, Box<dyn Fn() -> bool + 'a>);
    let ops: Vec<Op<'_>> = vec![
        ("mkdir", Box::new(|| fs::create_dir(path("dir")).is_ok()), Box::new(|| path("dir").is_dir())),
        ("create", Box::new(|| File::create_new(path("new")).is_ok()), Box::new(|| path("new").is_file())),
        (
            "symlink",
            Box::new(|| std::os::unix::fs::symlink("x", path("symlink")).is_ok()),
            Box::new(|| fs::read_link(path("symlink")).unwrap() == Path::new("x")),
        ),
        (
            "link",
            Box::new(|| fs::hard_link(path("there"), path("link")).is_ok()),
            Box::new(|| fs::metadata(path("there")).unwrap().nlink() == 2),
        ),
        (
            "mknod",
            Box::new(|| {
                let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
                rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), kind, mode, 0).is_ok()
            }),
            Box::new(|| path("fifo").exists()),
        ),
        ("unlink", Box::new(|| fs::remove_file(path("link")).is_ok()), Box::new(|| !path("link").exists())),
        ("rmdir", Box::new(|| fs::remove_dir(path("empty")).is_ok()), Box::new(|| !path("empty").exists())),
        (
            "rename",
            Box::new(|| fs::rename(path("d4"), path("renamed")).is_ok()),
            Box::new(|| !path("d4").exists() && path("renamed/deep/f1").exists()),
        ),
        (
            "exchange",
            Box::new(|| exchange("there", "other").is_ok()),
            Box::new(|| fs::read(path("there")).unwrap() == b"other"),
        ),
        (
            "setxattr",
            Box::new(|| rustix::fs::setxattr(path("other"), "user.x", b"1", create).is_ok()),
            Box::new(|| rustix::fs::getxattr(path("other"), "user.x", &mut [0u8; 4][..]).is_ok()),
        ),
        (
            "removexattr",
            Box::new(|| rustix::fs::removexattr(path("other"), "user.x").is_ok()),
            Box::new(|| rustix::fs::getxattr(path("other"), "user.x", &mut [0u8; 4][..]).is_err()),
        ),
        (
            "append",
            Box::new(|| (&file).write_all(b"+more").is_ok()),
            Box::new(|| fs::read(path("other")).unwrap() == b"there+more"),
        ),
        (
            "truncate",
            Box::new(|| rustix::fs::ftruncate(&file, 7).is_ok()),
            Box::new(|| fs::read(path("other")).unwrap() == b"there+m"),
        ),
    ];
    for (name, act, holds) in &ops {
        // The kernel asks for names it does not know before it acts; once it knows, the next answer is the one.
        for known in ["dir", "new", "symlink", "link", "fifo", "empty", "renamed", "d4", "there", "other"] {
            let _ = fs::symlink_metadata(path(known));
        }
        let _ = fs::symlink_metadata(path("renamed/deep/f1"));
        let _ = rustix::fs::getxattr(path("other"), "security.capability", &mut [0u8; 4][..]);
        thread::sleep(Duration::from_millis(300));
        let (mut strace, server) = kill_at_next_answer(&workspace);
        assert!(act(), "{name} succeeds");
        next_server(&workspace, &server);
        assert!(!server.is_alive(), "{name}: the server was killed");
        strace.wait().unwrap();
        assert!(holds(), "{name} was done once");
    }
    drop(ops);
    drop(file);
    mount.end();
}

#[test]
fn when_the_keeper_is_killed_another_one_is_started() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let before = record(&workspace);
    before.keeper.as_ref().unwrap().signal(Signal::KILL).unwrap();
    eventually("another keeper", SOON, || {
        record(&workspace).keeper.is_some_and(|keeper| keeper.is_alive() && Some(&keeper) != before.keeper.as_ref())
    });
    assert_eq!(record(&workspace).process, before.process);
    fs::write(mount.root().join("a"), b"a").unwrap();
    let after = kill_server(&workspace);
    assert_eq!(fs::read(mount.root().join("a")).unwrap(), b"a");
    after.keeper.unwrap().signal(Signal::KILL).unwrap();
    thread::sleep(Duration::from_millis(300));
    kill_server(&workspace);
    assert_eq!(fs::read(mount.root().join("a")).unwrap(), b"a");
    mount.end();
}

#[test]
fn when_all_are_killed_nobody_hangs_and_the_next_command_cleans_up() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    fs::write(mount.root().join("a"), b"a").unwrap();
    let dead = record(&workspace);
    rustix::process::kill_process(rustix::process::Pid::from_raw(watcher_of(&dead)).unwrap(), Signal::KILL).unwrap();
    dead.process.signal(Signal::STOP).unwrap();
    for process in [dead.keeper.as_ref().unwrap(), &dead.process] {
        process.signal(Signal::KILL).unwrap();
        assert!(process.wait_end(SOON));
    }
    assert_eq!(fs::read(mount.root().join("a")).unwrap_err().raw_os_error(), Some(107), "ENOTCONN");
    workspace.aether(&["session", "unmount", "session"]);
    let mount = workspace.mount();
    assert_eq!(fs::read(mount.root().join("a")).unwrap(), b"a");
    mount.end();
}

#[test]
fn when_nobody_can_take_over_the_mount_is_gone_within_two_seconds() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    fs::write(mount.root().join("a"), b"a").unwrap();
    let asked = mount.root().join("asked");
    let record = record(&workspace);
    // Without the catalog nobody knows what the session stands on.
    let (catalog, away) = (workspace.path("../data/catalog.db"), workspace.path("../data/away"));
    record.process.signal(Signal::STOP).unwrap();
    let blocked = thread::spawn(move || fs::metadata(asked).unwrap_err());
    thread::sleep(Duration::from_millis(100));
    fs::rename(&catalog, &away).unwrap();
    fs::create_dir(&catalog).unwrap();
    let begun = Instant::now();
    record.process.signal(Signal::KILL).unwrap();
    eventually("the mount is gone", Duration::from_secs(2), || !is_mounted(&mount));
    report("gone after", &begun.elapsed());
    let error = blocked.join().unwrap();
    assert_ne!(error.kind(), ErrorKind::NotFound, "who waited gets an error, not an answer: {error}");
    assert!(record.keeper.unwrap().wait_end(SOON));
    assert!(mounts(&run_dir(&workspace)).unwrap().is_empty());
    fs::remove_dir(&catalog).unwrap();
    fs::rename(&away, &catalog).unwrap();
    let mount = workspace.mount();
    assert_eq!(fs::read(mount.root().join("a")).unwrap(), b"a");
    mount.end();
}

#[test]
fn a_mount_that_hangs_is_unmounted_in_bounded_time_and_loses_nothing() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    fs::write(mount.root().join("a"), b"a").unwrap();
    let record = record(&workspace);
    record.process.signal(Signal::STOP).unwrap();
    let (asked, waiting) = (mount.root().join("asked"), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&waiting);
    let blocked = thread::spawn(move || {
        seen.store(1, Ordering::SeqCst);
        fs::metadata(asked).unwrap_err()
    });
    eventually("someone waits", SOON, || waiting.load(Ordering::SeqCst) == 1);
    let begun = Instant::now();
    workspace.aether(&["session", "unmount", "session"]);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    blocked.join().unwrap();
    assert!(!is_mounted(&mount) && !record.is_alive());
    let mount = workspace.mount();
    assert_eq!(fs::read(mount.root().join("a")).unwrap(), b"a");
    mount.end();
}

fn program_of(process: &ProcessId) -> PathBuf {
    fs::read_link(format!("/proc/{}/exe", process.pid)).unwrap()
}

#[test]
fn a_running_mount_moves_to_another_program_while_it_is_used() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let other = workspace.path("another-aether");
    fs::copy(env!("CARGO_BIN_EXE_aether"), &other).unwrap();
    let work = AtWork::begin(mount.root());
    thread::sleep(Duration::from_millis(300));
    let before = record(&workspace);
    let mut command = workspace.command(&["session", "mount", "--upgrade", "session"].map(OsStr::new));
    let arguments: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
    let mut upgrade = std::process::Command::new(&other);
    upgrade.args(arguments).env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let begun = Instant::now();
    let output = upgrade.output().unwrap();
    report("the upgrade command took", &begun.elapsed());
    assert!(output.status.success(), "{output:?}");
    let after = record(&workspace);
    assert_ne!(after.process, before.process);
    assert_eq!(program_of(&after.process), other);
    eventually("the keeper is of the other program, too", SOON, || {
        record(&workspace)
            .keeper
            .is_some_and(|keeper| Some(&keeper) != before.keeper.as_ref() && program_of(&keeper) == other)
    });
    assert!(before.keeper.unwrap().wait_end(SOON), "the keeper before is gone");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(program_of(&kill_server(&workspace).process), other);
    work.end();
    assert!(command.args(["--all"]).output().unwrap().status.success(), "and back again");
    assert_ne!(program_of(&record(&workspace).process), other);
    mount.end();
}

#[test]
fn a_program_that_cannot_serve_is_not_moved_to() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    let work = AtWork::begin(mount.root());
    for (broken, said) in
        [("/bin/false", "did not serve"), ("/no/such/program", "/no/such/program"), ("/etc/passwd", "")]
    {
        thread::sleep(Duration::from_millis(300));
        let before = record(&workspace);
        let mut client = before.connect(&run_dir(&workspace)).unwrap();
        assert_eq!(client.call(&Request::new("upgrade", json!(broken))).unwrap_err().code, "control-unreachable");
        let after = next_server(&workspace, &before.process);
        assert_eq!(program_of(&after.process), program_of(&ProcessId { ..after.keeper.clone().unwrap() }));
        let refused = after.refused.expect("it is said why");
        assert!(refused.message.contains(said), "{broken}: {refused}");
    }
    work.end();
    assert_eq!(mounts(&run_dir(&workspace)).unwrap()[0].1, MountState::Live);
    mount.end();
}

#[test]
fn an_idle_mount_is_small_with_all_its_processes() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    base(&workspace);
    let mount = workspace.mount();
    assert!(mount.root().join("d1").exists());
    let record = record(&workspace);
    // What each has for itself: the program's text is one for all mounts and commands, and as large as its build.
    let own = |pid: i32| -> u64 {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    watcher_of(&record);
    let all: Vec<(String, u64)> = processes_of(&record).into_iter().map(|(pid, name)| (name, own(pid))).collect();
    report("KiB of each process", &all);
    assert_eq!(all.len(), 3);
    assert!(all.iter().map(|(_, kib)| kib).sum::<u64>() < 8 << 10, "{all:?} KiB");
    mount.end();
}

#[test]
fn the_mount_of_an_ordinary_user_is_taken_over_and_taken_away() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = Workspace::of_nobody();
    let origin = workspace.path("origin");
    let shell = |script: &str| {
        let output = workspace.shell(script).uid(NOBODY).gid(NOBODY).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
    };
    shell("cd work; mkdir origin point; echo text >origin/file");
    workspace.session_on(&origin);
    workspace.aether(&["session", "mount", "session", "work/point"]);
    shell("cd work/point; echo new >new; (exec 3<new; rm new; sleep 2; cat <&3 >kept) >/dev/null 2>&1 & sleep 0.5");
    kill_server(&workspace);
    shell("cd work/point; test $(cat file) = text; mkdir dir; sleep 3; test $(cat kept) = new");
    let (catalog, away) = (workspace.path("../data/catalog.db"), workspace.path("../data/away"));
    fs::rename(&catalog, &away).unwrap();
    fs::create_dir(&catalog).unwrap();
    record(&workspace).process.signal(Signal::KILL).unwrap();
    let point = workspace.path("point");
    eventually("the mount is gone", Duration::from_secs(2), || MountTable::read().unwrap().at(&point).is_none());
}

#[test]
fn a_build_goes_on_and_succeeds() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    let mut makefile = String::from(
        "all: $(patsubst %.c,%.o,$(wildcard *.c))\n\tar rc all.a $^\n%.o: %.c\n\tcc -c -o $@.tmp $<\n\tmv $@.tmp $@\n",
    );
    makefile.push_str("clean:\n\trm -f *.o all.a\n");
    fs::write(origin.join("Makefile"), makefile).unwrap();
    for number in 0..120 {
        fs::write(
            origin.join(format!("f{number}.c")),
            format!("#include \"all.h\"\nint f{number}(void) {{ return {number}; }}\n"),
        )
        .unwrap();
    }
    fs::write(origin.join("all.h"), "#include <stdio.h>\n").unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let mut make = std::process::Command::new("make")
        .arg("-j4")
        .current_dir(mount.root())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut kills = 0;
    while make.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(300));
        kill_server(&workspace);
        kills += 1;
    }
    assert!(make.wait().unwrap().success() && kills > 1, "{kills} kills");
    let objects = fs::read_dir(mount.root())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension() == Some("o".as_ref()));
    assert_eq!(objects.count(), 120);
    mount.end();
}
