//! A mount on a disk that fails: the program is told which way, nothing stored before is harmed, and when the cause is
//! gone so is the failure.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::World;
use crate::generated::rng::Rng;

/// A mount served by a process that a command line starts, in a world with the session `one`.
struct Mounted {
    world: World,
    at: PathBuf,
    server: Option<Child>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.world.run(["session", "unmount", "--all", "--lazy"]);
        if let Some(mut server) = self.server.take() {
            let _ended = server.wait();
        }
    }
}

impl Mounted {
    fn new() -> Option<Self> {
        if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
            return None;
        }
        let world = World::new();
        fs::create_dir_all(world.path("src")).unwrap();
        fs::write(world.path("src/base"), "of the source\n".repeat(5000)).unwrap();
        fs::create_dir(world.path("mnt")).unwrap();
        world.ok(["source", "create", "web", "src"]);
        world.ok(["session", "create", "one", "--source", "web"]);
        let at = world.path("mnt");
        Some(Self { world, at, server: None })
    }

    /// Mounts, with these words before the command.
    fn mount(&mut self, before: &[&str]) {
        let aether = self.world.aether(["session", "mount", "one", "mnt", "--foreground"]);
        let words: Vec<&std::ffi::OsStr> =
            before.iter().map(std::ffi::OsStr::new).chain([aether.get_program()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(aether.get_args()).env_clear();
        command.envs(aether.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(aether.get_current_dir().unwrap()).stdin(Stdio::null()).stdout(Stdio::null());
        self.server = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.at.join("base").exists() {
            assert!(Instant::now() < deadline, "it was not mounted");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn unmount(&mut self) {
        self.world.ok(["session", "unmount", "one"]);
        assert!(self.server.take().unwrap().wait().unwrap().success());
    }
}

fn content(number: usize) -> Vec<u8> {
    format!("{number} ").repeat(1 + number * 977 % 9000).into_bytes()
}

/// What a program knows of a file: its whole content, or only that it was being written.
type Known = BTreeMap<PathBuf, Option<Vec<u8>>>;

fn write(path: &Path, bytes: &[u8], sync: bool) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    if sync { file.sync_all() } else { Ok(()) }
}

/// Makes, changes and removes files; returns what must be there, and how many calls failed.
fn work(at: &Path, rounds: usize, errno: i32) -> (Known, usize) {
    let (mut known, mut failed) = (Known::new(), 0);
    for number in 0..rounds {
        let path = at.join(format!("file-{}", number % 40));
        match write(&path, &content(number), number % 5 == 0) {
            Ok(()) => drop(known.insert(path, Some(content(number)))),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(errno), "{error}");
                failed += 1;
                known.insert(path, None);
            }
        }
    }
    (known, failed)
}

fn check(known: &Known) {
    for (path, bytes) in known {
        if let Some(bytes) = bytes {
            assert!(fs::read(path).unwrap() == *bytes, "{}", path.display());
        }
    }
    let base = known.keys().next().unwrap().with_file_name("base");
    assert_eq!(fs::read_to_string(base).unwrap(), "of the source\n".repeat(5000));
}

#[test]
fn a_failing_call_to_the_disk_is_told_to_the_program_and_harms_nothing_else() {
    for (calls, name, errno) in [
        ("pwritev", "ENOSPC", 28),
        ("pwritev", "EDQUOT", 122),
        ("pwritev", "EIO", 5),
        ("fallocate", "ENOSPC", 28),
        ("fdatasync,fsync", "EIO", 5),
        ("fdatasync,fsync", "ENOSPC", 28),
    ] {
        let Some(mut mounted) = Mounted::new() else { return };
        // So that the session's files are made before anything fails.
        mounted.mount(&["env"]);
        mounted.unmount();
        // It counts for each thread, and few of them sync.
        let when = if calls.contains("sync") { "2+3" } else { "9+6" };
        let inject = format!("inject={calls}:error={name}:when={when}");
        mounted.mount(&[
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &inject,
            "--",
        ]);
        let (known, failed) = work(&mounted.at, 80, errno);
        assert!(failed > 0 || calls == "fallocate", "{calls} {name}: nothing failed");
        check(&known);
        // The process is gone in whatever way, and its disk is well again.
        mounted.world.run(["session", "unmount", "one"]);
        let _ended = mounted.server.take().unwrap().wait();
        mounted.mount(&["env"]);
        check(&known);
        let (known, failed) = work(&mounted.at, 40, errno);
        assert_eq!(failed, 0, "{calls} {name}: it still fails");
        mounted.unmount();
        mounted.mount(&["env"]);
        check(&known);
        mounted.unmount();
    }
}

#[test]
fn an_interrupted_call_is_made_again() {
    let Some(mut mounted) = Mounted::new() else { return };
    let calls = "pwritev,fdatasync";
    let inject = format!("inject={calls}:error=EINTR:when=2+3");
    mounted.mount(&["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject, "--"]);
    let (known, failed) = work(&mounted.at, 60, 4);
    assert_eq!(failed, 0);
    check(&known);
    mounted.unmount();
}

#[test]
fn few_descriptors_are_enough() {
    let Some(mut mounted) = Mounted::new() else { return };
    mounted.mount(&["sh", "-c", "ulimit -n 32; exec \"$0\" \"$@\""]);
    let (known, failed) = work(&mounted.at, 200, 24);
    assert_eq!(failed, 0);
    check(&known);
    mounted.unmount();
}

#[test]
fn a_limit_on_the_length_of_files_is_an_error_and_no_death() {
    let Some(mut mounted) = Mounted::new() else { return };
    // Eight MiB, which the data of the session exceeds.
    mounted.mount(&["bash", "-c", "ulimit -f 8192; exec \"$0\" \"$@\""]);
    let chunk = vec![5; 1 << 20];
    let mut file = fs::File::create(mounted.at.join("large")).unwrap();
    let errors: Vec<_> = (0..20).filter_map(|_| file.write_all(&chunk).err()).collect();
    assert!(errors.iter().all(|error| error.raw_os_error() == Some(27)) && errors.len() > 5, "{errors:?}");
    drop(file);
    fs::remove_file(mounted.at.join("large")).unwrap();
    fs::create_dir(mounted.at.join("dir")).unwrap();
    mounted.unmount();
}

#[test]
fn a_command_that_meets_a_limit_on_the_length_of_files_says_so() {
    let world = World::new();
    fs::create_dir(world.path("src")).unwrap();
    let noise = Rng::new(1).bytes(3_000_000);
    fs::write(world.path("src/large"), noise).unwrap();
    let mut limited = world.command("bash");
    limited.args(["-c", "ulimit -f 1000; exec aether source create web src"]);
    let ended = crate::cli::end(&mut limited);
    assert!(ended.code == 1 && ended.err.starts_with("error: "), "{ended:?}");
    world.ok(["source", "create", "web", "src"]);
}

/// A small disk of its own, gone with the test.
struct SmallDisk(PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_takes_nobody_down_and_freeing_space_is_enough() {
    // Only root can make a disk that is small.
    if crate::cli::needs_root() {
        return;
    }
    let Some(mut mounted) = Mounted::new() else { return };
    let data = mounted.world.data();
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(&data).status();
    assert!(status.unwrap().success());
    let _small = SmallDisk(data.clone());
    mounted.world.ok(["source", "create", "web", "src"]);
    mounted.world.ok(["session", "create", "one", "--source", "web"]);
    mounted.mount(&["env"]);
    let noise = Rng::new(1).bytes(300_000);
    let path = |number: usize| mounted.at.join(format!("file-{number}"));
    let full = (0..100).find(|number| fs::write(path(*number), &noise).is_err()).unwrap();
    assert!(full > 10, "full after {full}");
    assert_eq!(fs::write(path(full), &noise).unwrap_err().raw_os_error(), Some(28));
    for number in 0..full {
        assert!(fs::read(path(number)).unwrap() == noise);
    }
    // What takes no data goes on.
    fs::create_dir(mounted.at.join("dir")).unwrap();
    fs::rename(path(0), mounted.at.join("dir/moved")).unwrap();
    fs::remove_file(path(full)).unwrap();
    for number in 1..8 {
        fs::remove_file(path(number)).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::write(path(1), &noise).is_err() {
        assert!(Instant::now() < deadline, "removing files gives no space back");
        std::thread::sleep(Duration::from_millis(200));
    }
    // A catalog on a full disk: the command fails as a whole, and can be repeated.
    let mut fill = fs::File::create(data.join("fill")).unwrap();
    while fill.write_all(&noise[..4096]).is_ok() {}
    let ended = mounted.world.run(["session", "create", "two", "--source", "web"]);
    assert!(ended.code == 1 && ended.err.starts_with("error: "), "{ended:?}");
    assert_eq!(mounted.world.json(["session", "list"]).len(), 1);
    mounted.unmount();
    // Nobody has anything open, and there is not a block left.
    while fill.write_all(&noise[..4096]).is_ok() {}
    mounted.mount(&["env"]);
    assert!(fs::read(mounted.at.join("dir/moved")).unwrap() == noise);
    mounted.unmount();
    drop(fill);
    fs::remove_file(data.join("fill")).unwrap();
    mounted.world.ok(["session", "create", "two", "--source", "web"]);
    mounted.mount(&["env"]);
    assert!(
        fs::read(mounted.at.join("dir/moved")).unwrap() == noise
            && fs::read(mounted.at.join("file-1")).unwrap() == noise
    );
    mounted.unmount();
}
