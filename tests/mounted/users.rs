//! Mounts of ordinary users. As root, the part of one is played by `nobody`: by a process, or by a thread that gave up
//! its rights, since Linux keeps them by thread.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use aether::fuse::{Config, How, MountError, MountOptions, OptionError, Server, mount};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::fixture::{needs_root, skipped};
use crate::memory::Memory;

pub const NOBODY: u32 = 65534;

/// Runs a shell command as an ordinary user, who must succeed.
pub fn as_nobody(script: &str) {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Gives the user a directory with all that is in it.
pub fn own_all(dir: &Path) {
    std::os::unix::fs::lchown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => own_all(&entry.path()),
            false => std::os::unix::fs::lchown(entry.path(), Some(NOBODY), Some(NOBODY)).unwrap(),
        }
    }
}

/// Runs a part of a test as an ordinary user.
pub fn in_thread_of_nobody<T: Send + 'static>(part: impl FnOnce() -> T + Send + 'static) -> T {
    let run = move || {
        if geteuid().is_root() {
            let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
        }
        part()
    };
    match thread::spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[test]
fn a_user_mounts_and_unmounts_and_others_are_kept_out() {
    if skipped() {
        return;
    }
    in_thread_of_nobody(move || {
        let dir = tempfile::tempdir().unwrap();
        let point = dir.path().canonicalize().unwrap().join("a place");
        fs::create_dir(&point).unwrap();
        let files = Arc::new(Memory::new());
        let (device, mounted) = mount(&point, "of-a-user", &MountOptions::default()).unwrap();
        assert_eq!(mounted.entry.tag(), Some("of-a-user"));
        assert!(mounted.entry.options.contains("nosuid,nodev"), "{}", mounted.entry.options);
        let server = Server::new(files, std::sync::Arc::default(), device, &Config::default()).unwrap();
        let served = thread::spawn(move || server.run());
        fs::write(point.join("file"), b"mine").unwrap();
        assert_eq!(fs::read(point.join("file")).unwrap(), b"mine");
        let open = fs::File::open(point.join("file")).unwrap();
        let busy = mounted.unmount(How::Plain).unwrap_err();
        let MountError::Busy { holders, .. } = &busy else { panic!("{busy}") };
        assert!(holders.iter().any(|holder| holder.pid == std::process::id()), "{holders:?}");
        drop(open);
        mounted.unmount(How::Plain).unwrap();
        served.join().unwrap().unwrap();
        assert!(!mounted.is_there().unwrap());
        assert!(matches!(mounted.unmount(How::Plain), Err(MountError::NotMounted { .. })));
    });
}

#[test]
fn even_root_is_kept_out_of_a_users_mount() {
    if skipped() || needs_root() {
        return;
    }
    let (dir, mounted, served) = in_thread_of_nobody(|| {
        let dir = tempfile::tempdir().unwrap();
        let (device, mounted) = mount(&dir.path().canonicalize().unwrap(), "mine", &MountOptions::default()).unwrap();
        let server =
            Server::new(Arc::new(Memory::new()), std::sync::Arc::default(), device, &Config::default()).unwrap();
        (dir, mounted, thread::spawn(move || server.run()))
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap_err().kind(), ErrorKind::PermissionDenied);
    in_thread_of_nobody(move || mounted.unmount(How::Plain).unwrap());
    served.join().unwrap().unwrap();
}

#[test]
fn a_user_can_take_a_mount_away_whose_process_is_gone() {
    if skipped() {
        return;
    }
    in_thread_of_nobody(|| {
        let dir = tempfile::tempdir().unwrap();
        let (device, mounted) = mount(&dir.path().canonicalize().unwrap(), "dead", &MountOptions::default()).unwrap();
        drop(device);
        assert!(mounted.is_there().unwrap());
        mounted.unmount(How::Lazy).unwrap();
        assert!(!mounted.is_there().unwrap());
    });
}

#[test]
fn a_mount_whose_place_is_not_resolved_is_refused_and_not_left_behind() {
    if skipped() || needs_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().canonicalize().unwrap();
    fs::create_dir(home.join("real")).unwrap();
    std::os::unix::fs::symlink("real", home.join("link")).unwrap();
    let refused = mount(&home.join("link"), "x", &MountOptions::default()).unwrap_err();
    assert!(matches!(refused, MountError::NotMounted { .. }), "{refused}");
    assert!(aether::fuse::MountTable::read().unwrap().at(&home.join("real")).is_none());
}

#[test]
fn a_user_is_told_why_others_cannot_be_let_in() {
    if skipped() {
        return;
    }
    let allowed = fs::read_to_string("/etc/fuse.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "user_allow_other"));
    in_thread_of_nobody(move || {
        let dir = tempfile::tempdir().unwrap();
        let options = MountOptions { allow_other: true, ..MountOptions::default() };
        match mount(dir.path(), "x", &options) {
            Ok((_device, mounted)) if allowed => mounted.unmount(How::Lazy).unwrap(),
            Err(MountError::AllowOtherDenied) if !allowed => {}
            other => panic!("{other:?}"),
        }
        let options = MountOptions { suid: true, ..MountOptions::default() };
        let refused = mount(dir.path(), "x", &options).unwrap_err();
        assert!(matches!(refused, MountError::Option(OptionError::RootOnly("suid"))));
    });
}

#[test]
fn fusermounts_own_words_reach_the_user() {
    if skipped() || needs_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let point = dir.path().canonicalize().unwrap();
    // A directory of root, closed to others.
    let refused = in_thread_of_nobody(move || mount(&point, "x", &MountOptions::default()).unwrap_err());
    let MountError::Fusermount { message } = &refused else { panic!("{refused:?}") };
    assert!(message.contains("no write access"), "{message}");
}
