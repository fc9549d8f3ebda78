//! Two commands on one session at the same moment. They need FUSE; `AETHER_TEST_FUSE=skip` leaves them out.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use aether::ops::live::SessionLock;

use super::World;

/// A world whose mounts are gone when the test is done, however it ends.
struct Mounts(World);

impl Drop for Mounts {
    fn drop(&mut self) {
        self.0.run(["session", "unmount", "--all", "--lazy"]);
    }
}

fn mounts() -> Option<Mounts> {
    let skip = std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip");
    (!skip).then(|| Mounts(World::with_web()))
}

fn start(world: &World, args: &[&str]) -> Child {
    world.aether(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn mounted(world: &World) -> usize {
    world.json(["session", "list", "--mounted"]).len()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn commands_that_run_at_once_share_a_mount_and_the_last_one_takes_it_away() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let scripts = ["echo a > a", "echo b > b; sleep 0.3", "echo c > c"];
    let running = scripts.map(|script| start(world, &["run", "fix-login", "--", "sh", "-c", script]));
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(mounted(world), 0);
    let status = world.ok(["diff", "fix-login", "--name-status"]);
    assert!(["A\ta", "A\tb", "A\tc"].iter().all(|line| status.contains(line)), "{status}");
}

#[test]
fn a_mount_that_somebody_asked_for_outlives_commands_that_run_in_it() {
    let Some(Mounts(ref world)) = mounts() else { return };
    world.ok(["session", "mount", "fix-login"]);
    world.ok(["run", "fix-login", "--", "true"]);
    assert_eq!(mounted(world), 1);
}

#[test]
fn a_mount_whose_maker_was_killed_goes_with_the_next_command() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let sign = world.path("sign");
    let script = format!("touch '{}'; exec sleep 100", sign.display());
    let mut killed = start(world, &["run", "fix-login", "--", "sh", "-c", &script]);
    wait_until("the command runs", || sign.exists());
    let inside = fs::read_to_string(format!("/proc/{}/task/{0}/children", killed.id())).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    for pid in inside.split_whitespace() {
        std::process::Command::new("kill").args(["-9", pid]).status().unwrap();
    }
    assert_eq!(mounted(world), 1);
    world.ok(["run", "fix-login", "--", "true"]);
    assert_eq!(mounted(world), 0);
    // And what is mounted by name afterwards is another mount.
    world.ok(["session", "mount", "fix-login"]);
    world.ok(["run", "fix-login", "--", "true"]);
    assert_eq!(mounted(world), 1);
}

#[test]
fn a_session_that_is_deleted_is_not_mounted_at_the_same_moment() {
    let Some(Mounts(ref world)) = mounts() else { return };
    for round in 0..6u64 {
        let name = format!("s{round}");
        world.ok(["session", "create", &name, "--source", "web"]);
        let deletion = start(world, &["session", "delete", &name, "--yes"]);
        std::thread::sleep(Duration::from_millis(round * 4));
        let mount = world.run(["mount", &name]);
        let deletion = deletion.wait_with_output().unwrap();
        match deletion.status.success() {
            true => assert_eq!((mount.code, mounted(world)), (3, 0), "{mount:?}"),
            false => assert_eq!((mount.code, mounted(world)), (0, 1), "{mount:?} {deletion:?}"),
        }
        world.run(["session", "unmount", "--all"]);
    }
}

#[test]
fn a_mount_waits_for_a_command_that_has_the_session_open_for_a_moment() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let id = world.json(["session", "show", "fix-login"])[0]["id"].as_str().unwrap().to_owned();
    let lock = SessionLock::take(&world.path("data"), &id).unwrap();
    let mount = start(world, &["mount", "fix-login"]);
    std::thread::sleep(Duration::from_millis(200));
    drop(lock);
    let output = mount.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
