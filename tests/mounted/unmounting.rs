//! Unmounting: who is in the way is named, and nothing else is taken away.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use aether::fuse::{Config, Hold, Holder, How, MountError, MountOptions, Server, mount};
use aether::model::ROOT_INO;

use crate::fixture::{Live, needs_root, skipped};
use crate::memory::Memory;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn busy(live: &Live) -> Vec<Holder> {
    match live.mounted.unmount(How::Plain) {
        Err(MountError::Busy { holders, .. }) => holders,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_busy_mount_names_its_holders() {
    if skipped() {
        return;
    }
    let live = Live::new();
    live.files.add(ROOT_INO, b"held \x1b file", b"x");
    let sleeper = Killed(Command::new("sleep").arg("100").current_dir(live.root()).spawn().unwrap());
    let reader = Killed(
        Command::new("tail")
            .args(["-f", "/dev/stdin"])
            .stdin(File::open(live.path("held \x1b file")).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let holders = busy(&live);
    let of = |pid: u32| holders.iter().find(|holder| holder.pid == pid).unwrap();
    let (first, second) = (of(sleeper.0.id()), of(reader.0.id()));
    assert_eq!(first.hold, Hold::WorkingDirectory(live.root().to_owned()));
    assert_eq!(first.command, "sleep");
    assert_eq!(second.hold, Hold::OpenFile(live.path("held \x1b file")));
    assert!(second.to_string().contains("`tail`") && !second.to_string().contains('\x1b'), "{second}");
    drop((sleeper, reader));
    live.end();
}

#[test]
fn a_mapped_file_and_a_mount_inside_keep_it_busy() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::create_dir(live.path("inner")).unwrap();
    fs::copy("/bin/sleep", live.path("sleep")).unwrap();
    fs::set_permissions(live.path("sleep"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = Killed(Command::new(live.path("sleep")).arg("100").spawn().unwrap());
    let holders = busy(&live);
    let holder = holders.iter().find(|holder| holder.pid == program.0.id()).unwrap();
    assert_eq!(holder.hold, Hold::Program(live.path("sleep")));
    drop(program);
    if needs_root() {
        return live.end();
    }
    rustix::mount::mount("none", live.path("inner"), "tmpfs", rustix::mount::MountFlags::empty(), None).unwrap();
    let holders = busy(&live);
    rustix::mount::unmount(live.path("inner"), rustix::mount::UnmountFlags::empty()).unwrap();
    assert!(holders.iter().any(|holder| holder.hold == Hold::Mount(live.path("inner"))), "{holders:?}");
    live.end();
}

#[test]
fn what_was_mounted_over_it_is_not_taken_away() {
    if skipped() {
        return;
    }
    let below = Live::new();
    let (device, above) = mount(below.root(), "above", &MountOptions::default()).unwrap();
    let server =
        Server::new(std::sync::Arc::new(Memory::new()), std::sync::Arc::default(), device, &Config::default()).unwrap();
    let served = std::thread::spawn(move || server.run());
    assert!(matches!(below.mounted.unmount(How::Plain), Err(MountError::NotMounted { .. })));
    assert!(above.is_there().unwrap());
    above.unmount(How::Plain).unwrap();
    served.join().unwrap().unwrap();
    below.end();
}

#[test]
fn a_read_only_mount_refuses_changes_before_they_are_asked_for() {
    if skipped() {
        return;
    }
    let live = Live::with(&MountOptions::default().parse("ro,noexec").unwrap());
    let refused = fs::write(live.path("a"), b"x").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(live.mounted.entry.options.starts_with("ro,nosuid,nodev,noexec"), "{}", live.mounted.entry.options);
    live.end();
}

#[test]
fn places_of_any_name_and_length_can_be_mounted_on() {
    if skipped() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut point = dir.path().canonicalize().unwrap().join("sp ace\ttab\nline\\back,comma");
    for _ in 0..14 {
        point = point.join("d".repeat(250));
    }
    fs::create_dir_all(&point).unwrap();
    let (device, mounted) = mount(&point, "far", &MountOptions::default()).unwrap();
    let server =
        Server::new(std::sync::Arc::new(Memory::new()), std::sync::Arc::default(), device, &Config::default()).unwrap();
    let served = std::thread::spawn(move || server.run());
    assert_eq!(mounted.mount_point(), point);
    fs::write(point.join("a"), b"x").unwrap();
    mounted.unmount(How::Plain).unwrap();
    served.join().unwrap().unwrap();
}
