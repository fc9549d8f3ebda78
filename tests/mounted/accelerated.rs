//! Commands on kernel overlayfs over their session, and what of them the session has afterwards.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use crate::fixture::{needs_root, skipped};
use crate::generated::generator::{Profile, generate};
use crate::generated::model::Model;
use crate::generated::operation::Op;
use crate::generated::shrink;
use crate::like_a_disk::same_trees;
use crate::syscalls::Place;
use crate::workspace::Workspace;

/// A session with some files.
fn session_in(workspace: Workspace) -> Workspace {
    let origin = workspace.path("origin");
    for dir in ["dir/inner", "gone", "again"] {
        fs::create_dir_all(origin.join(dir)).unwrap();
    }
    for file in ["file", "other", "dir/inner/deep", "gone/a", "again/old"] {
        fs::write(origin.join(file), format!("as imported: {file}\n")).unwrap();
    }
    for path in ["", "dir", "dir/inner", "gone", "again"] {
        fs::set_permissions(origin.join(path), fs::Permissions::from_mode(0o777)).unwrap();
    }
    if workspace.user().is_some() {
        crate::users::own_all(&origin);
    }
    workspace.session_on(&origin);
    workspace
}

/// Runs a script on an overlay, and fails if it was not one.
fn run(workspace: &Workspace, script: &str) -> Output {
    let args = ["run", "session", "--accelerate", "--", "sh", "-ec", script].map(OsStr::new);
    let output = workspace.command(&args).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{script}");
    output
}

fn said(workspace: &Workspace, args: &[&str]) -> String {
    String::from_utf8(workspace.aether(args).stdout).unwrap()
}

const SCRIPT: &str = "
    grep -q ' - overlay aether:' /proc/self/mountinfo
    echo more >> dir/inner/deep
    rm -r gone again; mkdir again; echo new > again/new
    mv file moved; ln moved moved-too; ln -s moved link; mkfifo fifo
    chmod 600 other; mkdir -p new/tree; echo x > new/tree/x; touch -d @1000000000.123456789 new
    mkdir closed; echo secret > closed/file; chmod 0 closed/file closed
    true > closed-not; cat < dir/inner/deep; exit 7";

/// All of the session's tree, times and numbers included.
fn listing(workspace: &Workspace) -> String {
    let script = "find . ! -name . -printf '%P %y %m %n %s %T@ %i %l\\n' | sort; chmod 700 closed; ls closed";
    let args = ["run", "session", "--", "sh", "-c", script];
    said(workspace, &args)
}

fn check(workspace: &Workspace) {
    let output = run(workspace, SCRIPT);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"as imported: dir/inner/deep\nmore\n");
    let changes = said(workspace, &["diff", "session", "--all", "--name-status"]);
    for line in ["M\tdir/inner/deep", "D\tagain/old", "A\tagain/new", "D\tgone/a", "M\tother", "A\tnew/tree/x"] {
        assert!(changes.lines().any(|found| found == line), "{line} in\n{changes}");
    }
    let events = said(workspace, &["event", "list", "--type", "session.run", "--json"]);
    assert!(events.contains("\"exit_code\":7"), "{events}");
    assert!(events.contains("A new/tree/x"), "{events}");
    let listed = listing(workspace);
    let line = |name: &str| {
        let found = listed
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{name} in\n{listed}"));
        found.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("new")[5], "1000000000.1234567890");
    assert_eq!((&line("moved")[3], &line("moved")[6]), (&"2".to_owned(), &line("moved-too")[6]));
    assert_eq!((&line("closed")[2][..], &line("other")[2][..], &line("link")[7][..]), ("0", "600", "moved"));
    assert_eq!(line("fifo")[1], "p");
    assert!(listed.ends_with("file\n"), "{listed}");
    assert!(!listed.contains("overlay"));
    let left = fs::read_dir(session_dir(workspace)).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("upper")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn session_dir(workspace: &Workspace) -> PathBuf {
    let mut dirs = fs::read_dir(workspace.path("../data/sessions")).unwrap();
    dirs.next().unwrap().unwrap().path()
}

#[test]
fn what_a_command_does_on_an_overlay_is_in_the_session_afterwards() {
    if !skipped() && !needs_root() {
        check(&session_in(Workspace::new()));
    }
}

#[test]
fn an_ordinary_user_is_accelerated_in_a_user_namespace() {
    if !skipped() && !needs_root() {
        check(&session_in(Workspace::of_nobody()));
    }
}

#[test]
fn it_is_the_same_as_on_the_mount() {
    if skipped() || needs_root() {
        return;
    }
    // But for the line that tells where it is.
    let script = SCRIPT.trim_start().split_once('\n').unwrap().1;
    let [plain, accelerated] = [&[][..], &["--accelerate"]].map(|option| {
        let workspace = session_in(Workspace::new());
        let args = [&["run", "session"], option, &["--", "sh", "-ec", script]].concat();
        assert_eq!(code(&workspace, &args), Some(7));
        said(&workspace, &["diff", "session", "--all"])
    });
    assert_eq!(accelerated, plain);
    assert!(plain.lines().count() > 20, "{plain}");
}

#[test]
fn where_the_session_is_mounted_the_command_runs_on_the_mount() {
    if skipped() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let mount = workspace.mount();
    let args = ["run", "session", "--accelerate", "--", "sh", "-c", "echo x > new; pwd"].map(OsStr::new);
    let output = workspace.command(&args).output().unwrap();
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.contains("not accelerated, because the session is mounted at"), "{warning}");
    assert_eq!(warning.lines().count(), 1);
    assert_eq!(fs::read_to_string(mount.root().join("new")).unwrap(), "x\n");
    mount.end();
}

#[test]
fn where_the_data_directory_takes_no_overlay_the_command_runs_on_the_mount() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = session_in(Workspace::new());
    // An overlay cannot be the upper layer of another.
    let data = workspace.path("../data");
    let script = format!(
        "mount -t tmpfs none /mnt; mkdir /mnt/u /mnt/w; \
         mount -t overlay -o lowerdir={0},upperdir=/mnt/u,workdir=/mnt/w none {0}; \
         exec \"$0\" run session --accelerate -- sh -c 'echo x > new; cat new'",
        data.display()
    );
    let program = env!("CARGO_BIN_EXE_aether");
    let mut command = workspace.shell(&format!("exec unshare -m sh -ec '{}' {program}", script.replace('\'', "'\\''")));
    let output = command.output().unwrap();
    let warning = String::from_utf8(output.stderr).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "x\n", "{warning}");
    assert!(warning.contains("not accelerated, because"), "{warning}");
}

/// A command on an overlay that goes on until a file is gone.
fn waiting(workspace: &Workspace, before: &str, after: &str) -> (Child, PathBuf) {
    let marker = workspace.path("marker");
    let script = format!("{before}; touch \"$0\"; while [ -e \"$0\" ]; do sleep 0.02; done; {after}");
    let args = ["run", "session", "--accelerate", "--", "sh", "-ec", &script, marker.to_str().unwrap()];
    let child = workspace.command(&args.map(OsStr::new)).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !marker.exists() {
        assert!(Instant::now() < end, "it never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    (child, marker)
}

fn code(workspace: &Workspace, args: &[&str]) -> Option<i32> {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    workspace.command(&args).output().unwrap().status.code()
}

#[test]
fn nobody_else_uses_the_session_meanwhile() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let (mut child, marker) = waiting(&workspace, "echo early > early", "echo late > late");
    for args in [
        &["status", "session"][..],
        &["diff", "session"],
        &["checkpoint", "create", "--session", "session"],
        &["session", "mount", "session"],
        &["session", "unmount", "session"],
        &["session", "run", "session", "--", "true"],
        &["session", "run", "session", "--accelerate", "--", "true"],
        &["session", "fork", "session", "other"],
    ] {
        assert_eq!(code(&workspace, args), Some(6), "{args:?}");
    }
    fs::remove_file(marker).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said(&workspace, &["diff", "session", "--name-status"]), "A\tearly\nA\tlate\n");
}

#[test]
fn what_a_killed_command_wrote_is_taken_in_by_whoever_comes_next() {
    if skipped() || needs_root() {
        return;
    }
    for everything in [false, true] {
        let workspace = session_in(Workspace::new());
        let (mut child, _) = waiting(&workspace, "echo early > early; rm -r gone", "echo late > late");
        let (command, mount) = (command_of(&child), workspace.mount_process());
        child.kill().unwrap();
        child.wait().unwrap();
        for pid in below(command).into_iter().chain([command]) {
            kill(pid);
        }
        if everything {
            // The keeper and the watcher go with it.
            for pid in below(mount).into_iter().chain([mount]) {
                kill(pid);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        let changes = said(&workspace, &["diff", "session", "--name-status"]);
        assert_eq!(changes, "A\tearly\nD\tgone/a\n", "everything: {everything}");
    }
}

#[test]
fn what_a_command_leaves_behind_is_waited_for() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let marker = workspace.path("marker");
    fs::write(&marker, "").unwrap();
    let script = "echo early > early
        (while [ -e \"$0\" ]; do sleep 0.02; done; echo late > late) > /dev/null 2>&1 &";
    let args = ["run", "session", "--accelerate", "--", "sh", "-ec", script, marker.to_str().unwrap()].map(OsStr::new);
    let output = workspace.command(&args).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("goes on"), "{output:?}");
    assert_eq!(code(&workspace, &["status", "session"]), Some(6));
    fs::remove_file(&marker).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while code(&workspace, &["status", "session"]) == Some(6) {
        assert!(Instant::now() < end, "it goes on for ever");
    }
    assert_eq!(said(&workspace, &["diff", "session", "--name-status"]), "A\tearly\nA\tlate\n");
}

#[test]
fn it_goes_together_with_the_path_of_the_source() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let origin = workspace.path("origin");
    let args = ["run", "session", "--same-path", "--accelerate", "--", "sh", "-c", "pwd; echo x > new; rm other"];
    let output = workspace.command(&args.map(OsStr::new)).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", origin.display()));
    assert!(origin.join("other").exists() && !origin.join("new").exists());
    assert_eq!(said(&workspace, &["diff", "session", "--name-status"]), "A\tnew\nD\tother\n");
}

#[test]
fn codes_are_those_of_the_command() {
    if skipped() || needs_root() {
        return;
    }
    let workspace = session_in(Workspace::new());
    let run = |command: &[&str]| code(&workspace, &[&["run", "session", "--accelerate", "--"], command].concat());
    assert_eq!(run(&["sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(run(&["no-such-program"]), Some(127));
    assert_eq!(run(&["/etc/passwd"]), Some(126));
    assert_eq!(said(&workspace, &["diff", "session", "--all"]), "");
}

/// The processes that a process started, and those that these did.
fn below(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let direct: Vec<u32> = listed.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    direct.iter().flat_map(|pid| [vec![*pid], below(*pid)].concat()).collect()
}

/// The process that is in a mount namespace of its own.
fn command_of(aether: &Child) -> u32 {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let others = |pid: &u32| namespace(&pid.to_string()) != namespace("self");
    below(aether.id()).into_iter().find(others).expect("the command runs")
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Operations that overlayfs does as a disk does, on what is new as on what was there: all but those that a lower layer
/// cannot do without redirects, an index, or a device of its own.
fn operations(seed: u64, count: usize) -> Vec<Op> {
    let empty = Model::new(aether::model::Timestamp::new(0, 0));
    let mut ops = generate(seed, empty.state(), Profile { count, far: true, kernel: false, devices: false });
    for op in &mut ops {
        if let Op::SetXattr { value, .. } = op {
            value.len = value.len.min(300);
        }
    }
    ops
}

/// Does what an overlay does on a disk, and compares what the session has afterwards.
fn compare(ops: &[Op]) -> Result<(), String> {
    let workspace = Workspace::new();
    let plain = workspace.path("plain");
    fs::create_dir(&plain).unwrap();
    workspace.session_on(&plain);
    for part in ops.chunks(120) {
        let (mut child, marker) = waiting(&workspace, "true", "true");
        let shell = command_of(&child);
        let cwd = fs::read_link(format!("/proc/{shell}/cwd")).map_err(|error| error.to_string())?;
        let inside = PathBuf::from(format!("/proc/{shell}/root")).join(cwd.strip_prefix("/").unwrap_or(Path::new("")));
        let (mut disk, mut overlay) = (Place::new(&plain), Place::new(&inside));
        for op in part {
            // Names of files below cannot be kept together, and directories below not be moved; nobody does it then.
            if matches!(op, Op::Link { .. }) {
                continue;
            }
            match (overlay.run(op), op) {
                (Err(rustix::io::Errno::XDEV), Op::Rename { .. }) => {}
                _ => drop(disk.run(op)),
            }
        }
        drop((disk, overlay));
        fs::remove_file(&marker).unwrap();
        if !child.wait().unwrap().success() {
            return Err("the command failed".into());
        }
        let mount = workspace.mount();
        same_trees(&plain, mount.root())?;
        mount.end();
    }
    Ok(())
}

#[test]
fn random_operations_on_an_overlay_leave_what_they_leave_on_a_disk() {
    if skipped() || needs_root() {
        return;
    }
    for seed in shrink::seeds(43, 4) {
        shrink::check(seed, operations(seed, 240), &compare);
    }
}
