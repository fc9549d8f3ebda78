//! A disk that takes its time: who waits for it waits alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};

use crate::fixture::skipped;
use crate::real_tools::has;
use crate::workspace::Workspace;

/// How long each read of a pack takes.
const DELAY: Duration = Duration::from_secs(3);

/// Delays the reads of packs in a process, from the return of [`slow_reads`] until the guard is dropped.
struct Slow(Child);

impl Drop for Slow {
    fn drop(&mut self) {
        // The process that was traced goes on without it.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn slow_reads(pid: u32, packs: &Path, log: &Path) -> Slow {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=pread64", "-e"]);
    command.arg(format!("inject=pread64:delay_enter={}", DELAY.as_micros()));
    for pack in fs::read_dir(packs).unwrap().map(|pack| pack.unwrap().path()) {
        // What is in the page cache is read by another call, which never waits.
        fadvise(fs::File::open(&pack).unwrap(), 0, None, Advice::DontNeed).unwrap();
        command.arg("-P").arg(pack);
    }
    command.arg("-o").arg(log).args(["-p", &pid.to_string()]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let is_traced = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    };
    while !fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| is_traced(task.unwrap())) {
        assert!(Instant::now() < until, "strace does not attach");
        thread::sleep(Duration::from_millis(10));
    }
    Slow(child)
}

#[test]
fn a_slow_read_of_one_file_delays_no_other() {
    if skipped() || !has("strace") {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    for number in 0..3u8 {
        let noise: Vec<u8> =
            (0..3_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ number).collect();
        fs::write(origin.join(format!("cold-{number}")), noise).unwrap();
    }
    fs::write(origin.join("warm"), "warm").unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let root = mount.root();
    fs::write(root.join("written"), vec![1; 100_000]).unwrap();
    assert_eq!(fs::read(root.join("warm")).unwrap(), b"warm");
    assert_eq!(fs::read_dir(root).unwrap().count(), 5);
    let slow = slow_reads(workspace.mount_process(), &workspace.path("../data/objects/packs"), &workspace.path("log"));
    thread::scope(|scope| {
        let started = Instant::now();
        // Three programs wait for three cold files at once.
        let readers: Vec<_> = (0..3)
            .map(|number| {
                scope.spawn(move || {
                    assert_eq!(fs::read(root.join(format!("cold-{number}"))).unwrap().len(), 3_000_000);
                    started.elapsed()
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let mut slowest = Duration::ZERO;
        for round in 0..8 {
            let one = Instant::now();
            let path = root.join(format!("new-{round}"));
            fs::write(&path, vec![round; 50_000]).unwrap();
            fs::rename(&path, root.join("renamed")).unwrap();
            assert_eq!(fs::metadata(root.join("renamed")).unwrap().size(), 50_000);
            assert!(fs::metadata(root.join("not there")).is_err());
            assert_eq!(fs::read(root.join("warm")).unwrap(), b"warm");
            fs::write(root.join("written"), vec![round; 100_000]).unwrap();
            assert_eq!(fs::read(root.join("written")).unwrap(), vec![round; 100_000]);
            assert!(fs::read_dir(root).unwrap().count() > 4);
            // Even of a file that is being waited for, what is in memory can be had.
            assert_eq!(fs::metadata(root.join("cold-0")).unwrap().size(), 3_000_000);
            slowest = slowest.max(one.elapsed());
        }
        assert!(started.elapsed() < DELAY, "the readers still wait: {:?}", started.elapsed());
        assert!(readers.iter().all(|reader| !reader.is_finished()));
        assert!(slowest < DELAY / 3, "{slowest:?}");
        let waited = readers.into_iter().map(|reader| reader.join().unwrap()).min().unwrap();
        assert!(waited > DELAY, "{waited:?}: the disk was not slow");
    });
    drop(slow);
    mount.end();
}
