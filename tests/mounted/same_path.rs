//! A command that sees its session where the source's directory is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::geteuid;

use crate::fixture::skipped;
use crate::workspace::Workspace;

/// A session of which the origin can be written by anybody.
fn session_in(workspace: Workspace) -> Workspace {
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("file"), "as imported\n").unwrap();
    for (path, mode) in [(origin.clone(), 0o777), (origin.join("file"), 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    workspace.session_on(&origin);
    workspace
}

fn printed(workspace: &Workspace, args: &[&str]) -> String {
    String::from_utf8(workspace.aether(args).stdout).unwrap()
}

const SCRIPT: &str = "pwd; cat \"$0/file\"; echo changed > \"$0/file\"; echo new > new; readlink -f new";

fn check(workspace: &Workspace) {
    let origin = workspace.path("origin");
    let shown = origin.to_str().unwrap();
    let said = printed(workspace, &["run", "session", "--same-path", "--", "sh", "-c", SCRIPT, shown]);
    assert_eq!(said, format!("{shown}\nas imported\n{shown}/new\n"));
    assert_eq!(fs::read_to_string(origin.join("file")).unwrap(), "as imported\n", "the directory is out of reach");
    assert!(!origin.join("new").exists());
    assert_eq!(printed(workspace, &["diff", "session", "--name-status"]), "M\tfile\nA\tnew\n");
}

#[test]
fn a_command_sees_the_session_at_the_path_of_its_source() {
    if !skipped() {
        check(&session_in(Workspace::new()));
    }
}

#[test]
fn an_ordinary_user_needs_no_more_than_a_user_namespace() {
    if !skipped() && geteuid().is_root() {
        check(&session_in(Workspace::of_nobody()));
    }
}

#[test]
fn the_mounts_of_others_stay_as_they_are() {
    if skipped() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let origin = workspace.path("origin");
    let marker = workspace.path("marker");
    let script = "touch \"$0\"; while [ -e \"$0\" ]; do sleep 0.05; done";
    let args = ["run", "session", "--same-path", "--", "sh", "-c", script, marker.to_str().unwrap()];
    let mut running = workspace.command(&args.map(OsStr::new)).spawn().unwrap();
    while !marker.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted_on_origin = table.lines().any(|line| line.split(' ').nth(4) == origin.to_str());
    fs::remove_file(&marker).unwrap();
    assert!(running.wait().unwrap().success());
    assert!(!mounted_on_origin);
}

#[test]
fn codes_are_those_of_the_command() {
    if skipped() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let code = |command: &[&str]| {
        let args = [&["run", "session", "--same-path", "--"], command].concat();
        let args: Vec<_> = args.iter().map(OsStr::new).collect();
        workspace.command(&args).output().unwrap().status.code()
    };
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(code(&["no-such-program"]), Some(127));
    assert_eq!(code(&["/etc/passwd"]), Some(126));
}

#[test]
fn where_there_is_no_directory_it_is_said() {
    if skipped() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let refused = |session: &str| {
        let args = ["run", session, "--same-path", "--", "true"].map(OsStr::new);
        let output = workspace.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    workspace.aether(&["session", "create", "blank", "--empty"]);
    assert!(refused("blank").contains("it has no source"));
    fs::rename(workspace.path("origin"), workspace.path("elsewhere")).unwrap();
    assert!(refused("session").contains("the directory it came from is not there"));
    assert_eq!(printed(&workspace, &["diff", "session", "--name-status"]), "");
}
