//! The mount process: started, found, ended, killed. What it serves here is a file system in memory.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aether::daemon::control::{Reply, Request};
use aether::daemon::{
    Connection, Failure, MountRecord, MountState, Opening, ProcessId, Ready, Roles, RunDir, ServeSpec, Workspace,
    clean_stale, keep, kill, mount_of, mounts, serve_child, spawn, unmount,
};
use aether::fuse::{How, MountOptions, MountTable};
use aether::overlay::Files;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::fixture::skipped;
use crate::memory::Memory;
use crate::takeover::watcher_of;

const SOON: Duration = Duration::from_secs(20);

struct Scratch {
    files: Arc<Memory>,
    finished: PathBuf,
    connected: AtomicBool,
}

impl Workspace for Scratch {
    fn gate(&self) -> Arc<aether::disk::Gate> {
        Arc::default()
    }

    fn files(&self) -> Arc<dyn Files> {
        self.files.clone()
    }

    fn connected(&self, _connection: &Connection) {
        self.connected.store(true, Ordering::SeqCst);
    }

    fn control(&self, request: Request) -> Result<Reply, Failure> {
        match request.verb.as_str() {
            "echo" => Ok(Reply { result: request.args, payload: request.payload }),
            "connected" => Ok(Reply::of(json!(self.connected.load(Ordering::SeqCst)))),
            other => Err(Failure::new("unknown-verb", other)),
        }
    }

    fn finish(&self) -> Result<(), Failure> {
        fs::write(&self.finished, b"yes").map_err(|error| Failure::io(&self.finished, &error))
    }
}

fn open(spec: &ServeSpec, _opening: Opening) -> Result<Scratch, Failure> {
    match spec.what["do"].as_str() {
        Some("refuse") => return Err(Failure::new("no-such-session", "there is none\u{1b}").hint("make one")),
        Some("die") => std::process::exit(7),
        Some("hang") => std::thread::sleep(Duration::from_secs(3600)),
        _ => {}
    }
    Ok(Scratch {
        files: Arc::new(Memory::new()),
        finished: spec.data_dir.join("finished"),
        connected: AtomicBool::new(false),
    })
}

/// How this test program is started again: by a shell, which moves the pipe for the answer out of the way.
fn roles() -> Roles {
    let own = std::env::current_exe().unwrap();
    let args = |role: &str| {
        let script = format!("AETHER_TEST_ENTRY={role} exec \"$0\" \"$@\" 3>&1 >/dev/null");
        let entry = "process::entry_of_the_process_that_is_started_again";
        ["-c", &script, own.to_str().unwrap(), "--exact", entry, "--nocapture"].map(str::to_owned).to_vec()
    };
    Roles { exe: "/bin/sh".into(), keep: args("keep"), serve: args("serve") }
}

/// Not a test of its own: what the test program runs when [`Daemon::try_start`] has started it again.
#[test]
#[allow(clippy::disallowed_methods)]
fn entry_of_the_process_that_is_started_again() {
    let Some(role) = std::env::var_os("AETHER_TEST_ENTRY") else { return };
    // SAFETY: the shell that started this program made the descriptor for it, and nothing else knows of it.
    let pipe = unsafe { OwnedFd::from_raw_fd(3) };
    // Standard output belonged to the test harness, which writes to it.
    rustix::stdio::dup2_stdout(&pipe).unwrap();
    drop(pipe);
    let result = if role == "keep" { keep() } else { serve_child(&roles(), open) };
    std::process::exit(i32::from(result.is_err()));
}

/// A directory with a mount process, which is gone with the test.
pub struct Daemon {
    pub run: RunDir,
    pub home: PathBuf,
    pub point: PathBuf,
    _dir: tempfile::TempDir,
}

impl Daemon {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        let point = home.join("mount");
        fs::create_dir(&point).unwrap();
        fs::create_dir(home.join("data")).unwrap();
        Self { run: RunDir::open(&home.join("run")).unwrap(), home, point, _dir: dir }
    }

    pub fn started() -> (Self, Ready) {
        let daemon = Self::new();
        let ready = daemon.try_start(Value::Null, SOON).unwrap();
        (daemon, ready)
    }

    fn spec(&self, what: Value) -> ServeSpec {
        ServeSpec {
            tag: "s-test".into(),
            what,
            data_dir: self.home.join("data"),
            run_dir: self.run.path().to_owned(),
            mount_point: self.point.clone(),
            created_mount_point: true,
            options: MountOptions::default(),
            threads: None,
            log: self.home.join("mount.log"),
            log_level: "info".into(),
        }
    }

    fn try_start(&self, what: Value, limit: Duration) -> Result<Ready, Failure> {
        let Roles { exe, serve, .. } = roles();
        let args: Vec<&str> = serve.iter().map(String::as_str).collect();
        spawn(&exe, &args, &self.spec(what), limit)
    }

    pub fn record(&self) -> MountRecord {
        mounts(&self.run).unwrap().remove(0).0
    }

    fn state(&self) -> MountState {
        mounts(&self.run).unwrap()[0].1
    }

    fn is_mounted(&self) -> bool {
        MountTable::read().unwrap().at(&self.point).is_some()
    }

    fn finished(&self) -> bool {
        self.home.join("data/finished").exists()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for (record, _) in mounts(&self.run).unwrap_or_default() {
            let _gone = kill(&self.run, &record, SOON);
        }
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_mount_process_serves_until_it_is_unmounted() {
    if skipped() {
        return;
    }
    let (daemon, ready) = Daemon::started();
    assert_eq!(ready.mount_point, daemon.point);
    fs::write(daemon.point.join("a"), b"hello").unwrap();
    assert_eq!(fs::read(daemon.point.join("a")).unwrap(), b"hello");
    let record = daemon.record();
    assert_eq!((record.process.pid, daemon.state()), (ready.pid, MountState::Live));
    let status = fs::read_to_string(format!("/proc/{}/status", ready.pid)).unwrap();
    assert!(status.lines().any(|line| line == "Umask:\t0000"), "{status}");
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", ready.pid)).unwrap(), Path::new("/"));
    assert_eq!(fs::metadata(daemon.home.join("mount.log")).unwrap().mode() & 0o777, 0o600);

    fs::create_dir(daemon.point.join("sub")).unwrap();
    let found = mount_of(&daemon.run, &daemon.point.join("sub")).unwrap();
    assert_eq!(found, Some(record.clone()));
    assert_eq!(mount_of(&daemon.run, &daemon.home).unwrap(), None);

    unmount(&record, How::Plain, SOON).unwrap();
    assert!(daemon.finished(), "the last sync comes before the end");
    assert!(!record.process.is_alive() && !daemon.is_mounted());
    assert!(mounts(&daemon.run).unwrap().is_empty());
    assert_eq!(fs::read_dir(daemon.run.path()).unwrap().count(), 0, "nothing is left behind");
    assert!(!daemon.point.exists(), "a mount point that was made for the mount goes with it");
}

#[test]
fn nothing_that_was_open_is_inherited_but_the_log() {
    if skipped() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let lock = fs::File::create(dir.path().join("lock")).unwrap();
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty()).unwrap();
    let (_daemon, ready) = Daemon::started();
    for descriptor in fs::read_dir(format!("/proc/{}/fd", ready.pid)).unwrap() {
        let target = fs::read_link(descriptor.unwrap().path()).unwrap_or_default();
        assert!(!target.starts_with(dir.path()), "{}", target.display());
    }
}

#[test]
fn what_keeps_a_process_from_being_ready_is_told() {
    if skipped() {
        return;
    }
    let daemon = Daemon::new();
    let refused = daemon.try_start(json!({"do": "refuse"}), SOON).unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.hints.as_slice()),
        ("no-such-session", ["make one".to_owned()].as_slice())
    );
    let died = daemon.try_start(json!({"do": "die"}), SOON).unwrap_err();
    assert_eq!(died.code, "spawn");
    assert!(died.message.contains("exit status: 7"), "{died}");
    let hung = daemon.try_start(json!({"do": "hang"}), Duration::from_millis(700)).unwrap_err();
    assert_eq!(hung.code, "timeout");
    fs::remove_dir(&daemon.point).unwrap();
    let missing = daemon.try_start(Value::Null, SOON).unwrap_err();
    assert_eq!(missing.code, "mount-point-missing");
    assert!(mounts(&daemon.run).unwrap().is_empty(), "a mount that was not made leaves no record");
}

#[test]
fn a_signal_unmounts_and_syncs() {
    if skipped() {
        return;
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (daemon, _) = Daemon::started();
        let record = daemon.record();
        record.process.signal(signal).unwrap();
        assert!(record.process.wait_end(SOON));
        assert!(daemon.finished() && !daemon.is_mounted());
        assert!(mounts(&daemon.run).unwrap().is_empty());
    }
}

#[test]
fn a_signal_ends_a_busy_mount_too() {
    if skipped() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let record = daemon.record();
    fs::write(daemon.point.join("a"), b"x").unwrap();
    let held = fs::File::open(daemon.point.join("a")).unwrap();
    record.process.signal(Signal::TERM).unwrap();
    assert!(record.process.wait_end(SOON));
    assert!(daemon.finished() && !daemon.is_mounted());
    assert!(held.metadata().is_err(), "there is nobody left to ask");
}

#[test]
fn a_killed_process_leaves_a_mount_that_is_recognised_and_cleaned_up() {
    if skipped() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let record = daemon.record();
    // Each of the two would start the other again, if it could, and the watcher take the mount away.
    let watcher = rustix::process::Pid::from_raw(watcher_of(&record)).unwrap();
    rustix::process::kill_process(watcher, Signal::KILL).unwrap();
    record.process.signal(Signal::STOP).unwrap();
    let keeper = record.keeper.as_ref().unwrap();
    keeper.signal(Signal::KILL).unwrap();
    record.process.signal(Signal::KILL).unwrap();
    assert!(keeper.wait_end(SOON) && record.process.wait_end(SOON));
    assert!(daemon.is_mounted());
    assert_eq!(fs::read_dir(&daemon.point).unwrap_err().raw_os_error(), Some(107), "ENOTCONN");
    assert_eq!(daemon.state(), MountState::Dead);
    assert_eq!(clean_stale(&daemon.run).unwrap(), [record]);
    assert!(!daemon.is_mounted() && !daemon.point.exists());
    assert!(clean_stale(&daemon.run).unwrap().is_empty());

    fs::create_dir(&daemon.point).unwrap();
    daemon.try_start(Value::Null, SOON).unwrap();
    assert_eq!(daemon.state(), MountState::Live);
    assert!(clean_stale(&daemon.run).unwrap().is_empty(), "what lives is left alone");
}

#[test]
fn a_request_that_no_process_survives_is_answered_with_an_error_and_others_are_served() {
    if skipped() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let before = daemon.record().process;
    assert_eq!(fs::metadata(daemon.point.join("a bug")).unwrap_err().raw_os_error(), Some(5), "EIO");
    assert_ne!(daemon.record().process, before, "the first one died of it");
    fs::write(daemon.point.join("a"), b"x").unwrap();
    let log = fs::read_to_string(daemon.home.join("mount.log")).unwrap();
    assert!(log.contains("a bug: panicked") && log.contains("SIGABRT"), "{log}");
    assert_eq!(daemon.state(), MountState::Live);
}

#[test]
fn an_unmount_from_outside_ends_the_process() {
    if skipped() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let record = daemon.record();
    fs::write(daemon.point.join("a"), b"held").unwrap();
    let held = fs::File::open(daemon.point.join("a")).unwrap();
    unmount(&record, How::Lazy, SOON).unwrap();
    assert_eq!(daemon.state(), MountState::Detached);
    assert_eq!(held.metadata().unwrap().len(), 4, "those who hold it are still served");
    assert!(record.process.is_alive());
    drop(held);
    assert!(record.process.wait_end(SOON));
    assert!(daemon.finished());
}

#[test]
fn a_stopped_process_is_killed_and_its_mount_detached() {
    if skipped() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let record = daemon.record();
    record.process.signal(Signal::STOP).unwrap();
    let slow = unmount(&record, How::Plain, Duration::from_millis(200)).unwrap_err();
    assert_eq!(slow.code, "timeout");
    kill(&daemon.run, &record, SOON).unwrap();
    assert!(!daemon.is_mounted() && !record.process.is_alive());
    assert!(mounts(&daemon.run).unwrap().is_empty());
}

#[test]
fn an_aborted_connection_ends_the_process_and_takes_the_mount_away() {
    if skipped() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let record = daemon.record();
    let table = MountTable::read().unwrap();
    let minor = record.entry(&table).unwrap().device.split_once(':').unwrap().1.to_owned();
    if fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1").is_err() {
        // The control file system is not mounted here.
        return;
    }
    assert!(record.process.wait_end(SOON));
    eventually("the mount goes", || !daemon.is_mounted());
    assert!(daemon.finished());
}

#[test]
fn two_mounts_of_one_directory_of_records_do_not_mix() {
    if skipped() {
        return;
    }
    let (daemon, one) = Daemon::started();
    let mut spec = daemon.spec(Value::Null);
    let other_point = daemon.home.join("other");
    fs::create_dir(&other_point).unwrap();
    spec.mount_point.clone_from(&other_point);
    let second = Daemon {
        point: other_point,
        run: daemon.run.clone(),
        home: daemon.home.clone(),
        _dir: tempfile::tempdir().unwrap(),
    };
    let two = second.try_start(Value::Null, SOON).unwrap();
    fs::write(daemon.point.join("a"), b"1").unwrap();
    assert!(!second.point.join("a").exists());
    let pids: Vec<u32> = mounts(&daemon.run).unwrap().iter().map(|(record, _)| record.process.pid).collect();
    assert_eq!(pids, [one.pid, two.pid]);
    let own: ProcessId = mount_of(&daemon.run, &second.point).unwrap().unwrap().process;
    assert_eq!(own.pid, two.pid);
}
