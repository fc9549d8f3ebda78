//! Git asks which files of a session changed, and is never told less than it would find by looking.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixture::skipped;
use crate::workspace::Workspace;

/// A script in a directory, with the environment of the workspace.
fn sh(workspace: &Workspace, dir: &Path, script: &str) -> String {
    let mut command = workspace.shell(script);
    command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@example.org");
    }
    run(&mut command, script)
}

fn run(command: &mut Command, script: &str) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn repository(workspace: &Workspace) -> std::path::PathBuf {
    let origin = workspace.path("origin");
    for number in 0..60 {
        let dir = origin.join(format!("dir-{}/sub-{}", number % 5, number % 2));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("file-{number}")), format!("content {number}\n")).unwrap();
    }
    sh(
        workspace,
        &origin,
        "printf '*.o\\n' >.gitignore; find . -exec touch -h -d '2 hours ago' {} +
         git init -q; git add .; git commit -qm first; git status -s",
    );
    origin
}

/// What happens in the work tree, one a number.
fn step(number: u64) -> String {
    let (dir, file) = (number / 16 % 5, number / 80 % 60);
    let path = format!("$(git ls-files | sed -n {}p)", file % 40 + 1);
    match number % 16 {
        0 | 1 => format!("p={path}; test -z \"$p\" || test ! -f \"$p\" || echo {number} >>\"$p\""),
        2 => format!("rm -f {path}"),
        3 => format!("test ! -e dir-{dir} || mv dir-{dir} moved-{number}"),
        4 => format!("mkdir -p new-{number}/deep && echo new >new-{number}/deep/file"),
        5 => format!("p={path}; test ! -f \"$p\" || chmod +x \"$p\""),
        6 => format!("p={path}; test ! -f \"$p\" || touch \"$p\""),
        7 => "git add -A; git commit -qm more --allow-empty".to_owned(),
        8 => "git stash -q -u || true; git stash pop -q || true".to_owned(),
        9 => "git reset -q --hard; git clean -qfd".to_owned(),
        10 => "git checkout -q -b side 2>/dev/null || git checkout -q side 2>/dev/null || true".to_owned(),
        11 => format!("echo {number} >ignored.o; echo {number} >untracked-{number}"),
        12 => format!("p={path}; test ! -f \"$p\" || {{ rm \"$p\"; ln -s nowhere \"$p\"; }}"),
        13 => format!("p={path}; test ! -f \"$p\" || {{ cp \"$p\" \"$p.x\"; mv \"$p.x\" \"$p\"; }}"),
        14 => "aether checkpoint create session -q >/dev/null".to_owned(),
        _ => "aether checkpoint list session -q | head -1 | xargs -r aether restore -q >/dev/null".to_owned(),
    }
}

#[test]
fn git_status_with_the_monitor_is_git_status_without_it() {
    if skipped() {
        return;
    }
    for seed in [1, 2] {
        let workspace = Workspace::new();
        let origin = repository(&workspace);
        workspace.session_on(&origin);
        let point = workspace.path("mount");
        workspace.aether(&["session", "mount", "session", point.to_str().unwrap(), "--git-fsmonitor"]);
        let bin = Path::new(env!("CARGO_BIN_EXE_aether")).parent().unwrap().display().to_string();
        let mut random: u64 = seed;
        for round in 0..60 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let script = step(random >> 33);
            sh(&workspace, &point, &format!("PATH={bin}:$PATH; {script}"));
            let with = sh(&workspace, &point, "git status --porcelain -uall --ignored");
            let copy = "cp .git/index ../index; GIT_INDEX_FILE=$PWD/../index git -c core.fsmonitor=false";
            let without = sh(&workspace, &point, &format!("{copy} status --porcelain -uall --ignored"));
            assert_eq!(with, without, "seed {seed}, round {round}: {script}");
        }
        // Git believed what it was told: these are the files that it did not look at.
        sh(&workspace, &point, "git reset -q --hard; git status -s >../shown; git ls-files -f | grep -q '^h '");
        workspace.aether(&["session", "unmount", "session"]);
        let config = fs::read_to_string(origin.join(".git/config")).unwrap();
        assert!(!config.contains("fsmonitor"), "the origin knows nothing of it: {config}");
    }
}

#[test]
fn only_what_differs_is_named_and_all_when_the_token_is_unknown() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = repository(&workspace);
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let ask = |token: &str| {
        let mut command = workspace.command(&["fsmonitor".as_ref(), "2".as_ref(), token.as_ref()]);
        let answer = run(command.current_dir(mount.root()), token);
        let mut parts: Vec<String> = answer.split_terminator('\0').map(str::to_owned).collect();
        (parts.remove(0), parts)
    };
    let (token, all) = ask("none");
    assert_eq!(all, ["/"]);
    assert_eq!(ask(&token), (token.clone(), Vec::new()));
    sh(
        &workspace,
        mount.root(),
        "echo more >>dir-1/sub-1/file-1; rm dir-2/sub-0/file-2; mkdir new; touch new/x .git/y",
    );
    let (later, changed) = ask(&token);
    assert_eq!(changed, ["dir-1/sub-1/file-1", "dir-2/sub-0/file-2", "new/", "new/x"]);
    // What went back to what it was is named once more.
    let before = sh(&workspace, mount.root(), "rm -r new; pwd");
    assert!(!before.is_empty());
    let (last, changed) = ask(&later);
    assert!(changed.contains(&"new/x".to_owned()), "{changed:?}");
    assert_eq!(ask(&last).1, ["dir-1/sub-1/file-1", "dir-2/sub-0/file-2"]);
    // A directory inside has names of its own; outside of a session everything may have changed.
    let mut inside = workspace.command(&["fsmonitor".as_ref(), "2".as_ref(), last.as_ref()]);
    assert!(run(inside.current_dir(mount.root().join("dir-1")), "inside").ends_with("\0/\0"));
    assert_eq!(run(&mut workspace.command(&["fsmonitor".as_ref(), "2".as_ref(), "x".as_ref()]), "out"), "none\0/\0");
    mount.end();
}

#[test]
fn a_configuration_that_is_not_the_sessions_own_is_never_touched() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir_all(origin.join(".git")).unwrap();
    fs::write(workspace.path("outside"), "[core]\n").unwrap();
    std::os::unix::fs::symlink(workspace.path("outside"), origin.join(".git/config")).unwrap();
    workspace.session_on(&origin);
    let point = workspace.path("mount");
    let args = ["session", "mount", "session", point.to_str().unwrap(), "--git-fsmonitor"].map(AsRef::as_ref);
    let output = workspace.command(&args).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("no repository of its own"), "{output:?}");
    assert_eq!(fs::read_to_string(workspace.path("outside")).unwrap(), "[core]\n");
    workspace.aether(&["session", "unmount", "session"]);
}

#[test]
fn a_mounted_session_shows_at_once_what_is_absorbed() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = repository(&workspace);
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let plain = workspace.path("plain");
    workspace.aether(&["session", "materialize", "session", plain.to_str().unwrap()]);
    assert_eq!(
        sh(&workspace, mount.root(), "cat dir-1/sub-1/file-1; ls"),
        "content 1\ndir-0\ndir-1\ndir-2\ndir-3\ndir-4\n"
    );
    sh(&workspace, &plain, "echo absorbed >dir-1/sub-1/file-1; mv dir-2 moved; git add -A; git commit -qm plain");
    fs::write(mount.root().join("mine"), "meanwhile\n").unwrap();
    workspace.aether(&["session", "absorb", "session", plain.to_str().unwrap()]);
    let seen =
        sh(&workspace, mount.root(), "cat dir-1/sub-1/file-1 mine; ls; git log --format=%s; git status --porcelain");
    let expected = "absorbed\nmeanwhile\ndir-0\ndir-1\ndir-3\ndir-4\nmine\nmoved\nplain\nfirst\n?? mine\n";
    assert_eq!(seen, expected);
    mount.end();
}
