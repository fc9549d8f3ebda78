//! Mounts as a user meets them. They need FUSE; `AETHER_TEST_FUSE=skip` leaves them out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{World, end};

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

fn path(printed: &str) -> PathBuf {
    PathBuf::from(printed.trim_end_matches('\n'))
}

/// The permissions of all that is below a directory.
fn modes(dir: &std::path::Path, found: &mut Vec<(std::path::PathBuf, u32)>) {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.path().symlink_metadata().unwrap();
        found.push((entry.path(), meta.permissions().mode()));
        if meta.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn a_umask_that_shuts_out_the_owner_is_for_programs_and_not_for_what_aether_keeps() {
    let world = World::new();
    world.sh("mkdir web; echo one >web/file; umask 0777
         aether source create web web; aether session create s --source web
         test \"$(aether run s -- sh -c umask)\" = 0777
         aether run s -- python3 -c 'import os
fd = os.open(\"new\", os.O_CREAT | os.O_RDWR, 0o666)
assert os.fstat(fd).st_mode & 0o777 == 0
assert os.write(fd, b\"x\" * 100000) == 100000
os.fsync(fd)
assert len(os.pread(fd, 200000, 0)) == 100000'
         aether checkpoint create s; aether commit create s -m all; aether session archive s; aether store gc");
    let mut found = Vec::new();
    modes(&world.data(), &mut found);
    assert!(found.len() > 5);
    found.retain(|(_, mode)| mode & 0o600 != 0o600 || mode & 0o077 != 0);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_working_directory_names_the_session() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let at = path(&world.ok(["session", "mount", "fix-login"]));
    let lib = at.join("lib");
    for args in [&["session", "show", "-q", "--json"][..], &["session", "show", "@", "--json"]] {
        let ended = end(world.aether(args).current_dir(&lib));
        assert!(ended.code == 0 && ended.out.contains(r#""name":"fix-login""#), "{ended:?}");
    }
    let listed = &world.json(["session", "list", "--mounted"])[0];
    assert_eq!(listed["mounts"][0]["path"], at.to_str().unwrap());
}

#[test]
fn a_mounted_session_is_not_deleted() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let at = path(&world.ok(["session", "mount", "fix-login"]));
    fs::write(at.join("new"), "new").unwrap();
    let refused = world.run(["session", "delete", "fix-login", "--yes"]);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.contains("hint: `aether session unmount fix-login`"), "{refused:?}");
    world.ok(["session", "unmount", "fix-login"]);
    // Nobody is there to be asked.
    let refused = world.run(["session", "delete", "fix-login"]);
    assert!(refused.code == 5 && refused.err.contains("--yes"), "{refused:?}");
    world.ok(["session", "delete", "fix-login", "--yes"]);
}

#[test]
fn a_session_without_changes_is_deleted_without_a_question() {
    let Some(Mounts(ref world)) = mounts() else { return };
    world.ok(["session", "mount", "fix-login"]);
    world.ok(["session", "unmount", "fix-login"]);
    world.ok(["session", "delete", "fix-login"]);
}

#[test]
fn what_is_not_mounted_cannot_be_unmounted() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let ended = world.run(["session", "unmount", "fix-login"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.contains("hint:"), "{ended:?}");
    assert_eq!(world.run(["session", "unmount", "--all"]).code, 0);
}

#[test]
fn unknown_options_and_wrong_places_are_refused_by_name() {
    let Some(Mounts(ref world)) = mounts() else { return };
    let ended = world.run(["session", "mount", "fix-login", "-o", "noexec,bogus"]);
    assert!(ended.code == 2 && ended.err.contains("`bogus`"), "{ended:?}");
    for (place, code) in [("data/x", 1), ("no/such/dir", 3), ("src/web", 6)] {
        let ended = world.run(["session", "mount", "fix-login", place]);
        assert_eq!(ended.code, code, "{place}: {ended:?}");
    }
    assert!(world.json(["session", "list", "--mounted"]).is_empty());
}

#[test]
fn revisions_are_mounted_as_they_were_beside_the_session() {
    let Some(Mounts(ref world)) = mounts() else { return };
    fs::write(world.path("src/web/index.html"), "<p>changed</p>\n").unwrap();
    world.ok(["source", "refresh", "web"]);
    let text = |args: &[&str]| fs::read_to_string(path(&world.ok(args)).join("index.html")).unwrap();
    assert_eq!(text(&["session", "mount", "--at", "web@1"]), "<p>hello</p>\n");
    assert_eq!(text(&["session", "mount", "--at", "web@2"]), "<p>changed</p>\n");
    assert_eq!(text(&["session", "mount", "fix-login"]), "<p>hello</p>\n");
    // Any number of them, whatever the source is called.
    assert_eq!(text(&["session", "mount", "--at", "web@2"]), "<p>changed</p>\n");
    world.ok(["source", "rename", "web", "größe"]);
    assert_eq!(text(&["session", "mount", "--at", "größe@1"]), "<p>hello</p>\n");
    assert_eq!(world.json(["session", "unmount", "größe@1"]).len(), 2);
    assert_eq!(world.json(["session", "unmount", "größe@2"]).len(), 2);
    world.ok(["session", "mount", "--at", "größe@1"]);
    let written = fs::write(world.path("run/aether/mnt/größe@1/new"), "");
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn a_signal_ends_a_command_and_the_mount_made_for_it() {
    let Some(Mounts(ref world)) = mounts() else { return };
    world.ok(["session", "create", "one", "--source", "web"]);
    let started = world.path("started");
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let script = format!("echo $$ >{0}.new; mv {0}.new {0}; exec sleep 60", started.display());
        // Also where the tests themselves are started with `nohup`.
        let mut run = world.command("env");
        run.args(["--default-signal=TERM,HUP", "aether", "run", "one", "--", "sh", "-c", &script]);
        let mut run = run.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !started.exists() {
            assert!(Instant::now() < deadline, "the command does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let command = fs::read_to_string(&started).unwrap();
        fs::remove_file(&started).unwrap();
        world.sh(&format!("kill -{signal} {}", run.id()));
        assert_eq!(run.wait().unwrap().code(), Some(code));
        assert!(!Path::new("/proc").join(command.trim()).exists(), "the command ended, too");
        assert_eq!(world.json(["session", "show", "one"])[0]["mounts"].as_array().unwrap().len(), 0);
    }
    assert_eq!(world.json(["event", "list", "--type", "session.run"]).len(), 2);
}
