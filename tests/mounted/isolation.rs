//! Who can reach what: the files of aether itself, a mount of another user, set-uid programs and device nodes in a mount.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::geteuid;

use crate::fixture::{needs_root, skipped};
use crate::users::NOBODY;
use crate::workspace::Workspace;

/// Every file and directory below `top` that others than its owner may do anything with.
fn open_to_others(top: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    let mut todo = vec![top.to_owned()];
    let mut seen = 0;
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        seen += 1;
        if meta.mode() & 0o077 != 0 && !meta.is_symlink() {
            found.insert(path.clone(), meta.mode() & 0o7777);
        }
        if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 2, "{}: {seen}", top.display());
    found
}

#[test]
fn what_aether_keeps_is_private_whatever_the_umask() {
    if skipped() {
        return;
    }
    for umask in ["000", "077"] {
        let workspace = Workspace::new();
        let origin = workspace.path("origin");
        fs::create_dir(&origin).unwrap();
        fs::write(origin.join("file"), vec![7; 100_000]).unwrap();
        let script = format!(
            "umask {umask}; \"$0\" source create base work/origin; \"$0\" session create session --source base
             \"$0\" session mount session work/point"
        );
        let mut run = workspace.shell(&script);
        let output = run.arg(env!("CARGO_BIN_EXE_aether")).output().unwrap();
        assert!(output.status.success(), "umask {umask}: {output:?}");
        let point = workspace.path("point");
        for number in 0..30 {
            fs::write(point.join(format!("new-{number}")), vec![number; 200_000]).unwrap();
        }
        fs::File::open(&point).unwrap().sync_all().unwrap();
        // The program's own umask is its own: files in the mount have the modes that programs ask for.
        assert_eq!(fs::metadata(point.join("new-1")).unwrap().mode() & 0o700, 0o600);
        for name in ["../data", "../run/aether"] {
            assert_eq!(open_to_others(&workspace.path(name)), BTreeMap::new(), "umask {umask}");
        }
        workspace.aether(&["session", "unmount", "session"]);
        assert_eq!(open_to_others(&workspace.path("../data")), BTreeMap::new(), "umask {umask}, unmounted");
    }
}

/// Runs `aether session list` with `/tmp/…`-like runtime directory `run`.
fn with_runtime(workspace: &Workspace, run: &Path) -> Output {
    let args = ["session", "unmount", "--all"].map(OsStr::new);
    workspace.command(&args).env("XDG_RUNTIME_DIR", run).output().unwrap()
}

#[test]
fn a_runtime_directory_that_someone_else_made_is_refused() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let refused = |run: &Path, words: &str| {
        let output = with_runtime(&workspace, run);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{said}");
        assert!(said.contains("hint: set XDG_RUNTIME_DIR"), "{said}");
    };
    let (linked, file, open, theirs) =
        (workspace.path("linked"), workspace.path("file"), workspace.path("open"), workspace.path("theirs"));
    for dir in [&linked, &file, &open, &theirs] {
        fs::create_dir(dir).unwrap();
    }
    let target = workspace.path("target");
    fs::create_dir(&target).unwrap();
    symlink(&target, linked.join("aether")).unwrap();
    refused(&linked, "it is not a directory");
    fs::write(file.join("aether"), b"").unwrap();
    refused(&file, "it is not a directory");
    fs::create_dir(open.join("aether")).unwrap();
    fs::set_permissions(open.join("aether"), fs::Permissions::from_mode(0o770)).unwrap();
    refused(&open, "other users can reach into it");
    if geteuid().is_root() {
        fs::create_dir(theirs.join("aether")).unwrap();
        fs::set_permissions(theirs.join("aether"), fs::Permissions::from_mode(0o700)).unwrap();
        chown(theirs.join("aether"), Some(NOBODY), None).unwrap();
        refused(&theirs, "it belongs to user 65534");
    }
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "nothing was made through the link");
}

/// Runs a shell script as an ordinary user; returns its exit code and what it printed.
fn as_nobody(dir: &Path, script: &str) -> (Option<i32>, String) {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(dir).uid(NOBODY).gid(NOBODY);
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// A mount of root's, with options, in a place that everyone can reach.
fn mount_with(workspace: &Workspace, options: &[&str]) -> PathBuf {
    workspace.open_to_all();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    for (name, mode) in [("secret", 0o600), ("shared", 0o644)] {
        fs::write(origin.join(name), name).unwrap();
        fs::set_permissions(origin.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::copy("/usr/bin/id", origin.join("id")).unwrap();
    fs::set_permissions(origin.join("id"), fs::Permissions::from_mode(0o4755)).unwrap();
    workspace.session_on(&origin);
    let point = workspace.path("point");
    let first = [OsStr::new("session"), "mount".as_ref(), "session".as_ref(), point.as_os_str()];
    let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    let output = workspace.command(&[&first[..], &options].concat()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::copy("/usr/bin/id", point.join("new-id")).unwrap();
    fs::set_permissions(point.join("new-id"), fs::Permissions::from_mode(0o4755)).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        point.join("null"),
        rustix::fs::FileType::CharacterDevice,
        0o666.into(),
        rustix::fs::makedev(1, 3),
    )
    .unwrap();
    fs::set_permissions(point.join("null"), fs::Permissions::from_mode(0o666)).unwrap();
    point
}

#[test]
fn other_users_see_nothing_of_a_mount() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = Workspace::new();
    let point = mount_with(&workspace, &[]);
    let above = point.parent().unwrap();
    for script in ["ls point", "cat point/shared", "stat point", "cd point", "echo x >point/new", "df point"] {
        let (code, said) = as_nobody(above, script);
        assert_ne!(code, Some(0), "{script}: {said}");
        assert!(said.contains("ermission denied") || script == "cd point", "{script}: {said}");
    }
    workspace.aether(&["session", "unmount", "session"]);
}

#[test]
fn others_that_are_let_in_meet_permissions_but_no_privileges() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = Workspace::new();
    let point = mount_with(&workspace, &["--allow-other"]);
    assert_eq!(as_nobody(&point, "cat shared"), (Some(0), "shared".into()));
    for script in ["cat secret", "echo x >shared", "echo x >new", "rm shared", "chmod 666 shared", "cat <null"] {
        let (code, said) = as_nobody(&point, script);
        assert_ne!(code, Some(0), "{script}: {said}");
        assert!(said.contains("ermission denied") || said.contains("not permitted"), "{script}: {said}");
    }
    // A set-uid program of the source, and one that was put in later.
    for id in ["./id -u", "./new-id -u"] {
        assert_eq!(as_nobody(&point, id), (Some(0), "65534\n".into()));
    }
    workspace.aether(&["session", "unmount", "session"]);
}

#[test]
fn set_uid_and_devices_work_where_root_asks_for_them() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = Workspace::new();
    let point = mount_with(&workspace, &["--allow-other", "-o", "suid,dev"]);
    for id in ["./id -u", "./new-id -u"] {
        assert_eq!(as_nobody(&point, id), (Some(0), "0\n".into()));
    }
    assert_eq!(as_nobody(&point, "cat null; echo x >null"), (Some(0), String::new()));
    workspace.aether(&["session", "unmount", "session"]);
}

#[test]
fn an_ordinary_user_has_sessions_of_their_own() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = Workspace::of_nobody();
    let origin = workspace.path("origin");
    let (code, said) = as_nobody(&workspace.path(""), "umask 000; mkdir -p origin/sub && echo text >origin/file");
    assert_eq!(code, Some(0), "{said}");
    workspace.session_on(&origin);
    let point = workspace.path("point, with\nsomething\\");
    let mount = |options: &[&str]| {
        let first = [OsStr::new("session"), "mount".as_ref(), "session".as_ref(), point.as_os_str()];
        let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
        workspace.command(&[&first[..], &options].concat()).output().unwrap()
    };
    for option in ["suid", "dev"] {
        let output = mount(&["-o", option]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("for root only"), "{output:?}");
    }
    let output = mount(&[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(as_nobody(&point, "cat file; echo more >>file; cat file"), (Some(0), "text\ntext\nmore\n".into()));
    let table = aether::fuse::MountTable::read().unwrap();
    assert!(table.at(&point).unwrap().options.contains("nosuid,nodev"));
    assert!(fs::read_dir(&point).is_err(), "not even root gets in");
    for name in ["../data", "../run/aether"] {
        let found = open_to_others(&workspace.path(name));
        assert_eq!(found, BTreeMap::new());
    }
    workspace.aether(&["session", "unmount", "session"]);
}
