//! Programs that people use, in a mounted session: git, make, cargo, sqlite3, tar, rsync, python3, an editor's way to save.
//! What they left is still there, to the nanosecond and the inode number, after unmounting and mounting.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::fixture::skipped;
use crate::like_a_disk::{read_tree, same_trees};
use crate::workspace::Workspace;

/// Whether a program is there. Where `AETHER_TEST_TOOLS=all` says so, all must be.
#[allow(clippy::disallowed_methods)]
pub fn has(tool: &str) -> bool {
    let found = ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(tool).exists());
    let wanted = std::env::var_os("AETHER_TEST_TOOLS").is_some_and(|word| word == "all");
    assert!(found || !wanted, "`{tool}` is missing");
    found
}

/// A command line in a directory, with nothing of the user's own configuration.
fn shell(dir: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(dir).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("HOME", dir);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@example.org");
    }
    command
}

/// Runs a command line, which must succeed; returns what it printed.
pub fn sh(dir: &Path, script: &str) -> String {
    let Output { status, stdout, stderr } = shell(dir, script).output().unwrap();
    assert!(status.success(), "{script}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// What `stat` says of every file, times and inode numbers included.
fn stats(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let stat = |path: &Vec<u8>| {
        let at = root.join(std::ffi::OsStr::from_bytes(path));
        let m = fs::symlink_metadata(at).unwrap();
        let times = [m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()];
        format!("{} {:o} {} {}:{} {} {times:?}", m.ino(), m.mode(), m.nlink(), m.uid(), m.gid(), m.size())
    };
    read_tree(root).into_keys().map(|path| (path.clone(), stat(&path))).collect()
}

/// A directory with a git repository in it, whose index is newer than all files.
fn repository(workspace: &Workspace) -> PathBuf {
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    for number in 0..120 {
        let dir = origin.join(format!("dir-{}", number % 7));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("file-{number}")), format!("content {number}\n").repeat(number)).unwrap();
    }
    sh(&origin, "ln -s dir-1/file-1 link; ln dir-1/file-1 hard; printf 'ignored\\n' >.gitignore; touch ignored");
    // Files as old as the index are read again by git, wherever they lie.
    sh(
        &origin,
        "find . -exec touch -h -d '2 hours ago' {} +; git init -q; git add .; git commit -qm first; git status -s",
    );
    origin
}

/// Checks that nothing changes by unmounting and mounting.
fn same_after_remount(workspace: &Workspace, mount: crate::workspace::Mount<'_>) {
    let (stats_before, tree_before) = (stats(mount.root()), read_tree(mount.root()));
    mount.end();
    let mount = workspace.mount();
    assert_eq!(stats(mount.root()), stats_before);
    assert_eq!(read_tree(mount.root()), tree_before);
    mount.end();
}

#[test]
fn git_finds_an_imported_repository_clean_without_reading_a_file() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = repository(&workspace);
    workspace.session_on(&origin);
    for _ in 0..2 {
        let mount = workspace.mount();
        // `diff-files` names every file whose stat data differ from the index: git would have to read just these.
        assert_eq!(sh(mount.root(), "git diff-files"), "");
        assert_eq!(sh(mount.root(), "git status --porcelain"), "");
        mount.end();
    }
}

#[test]
fn git_commits_with_a_hook_and_the_origin_does_not_see_it() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = repository(&workspace);
    let hook = origin.join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho ran >>hook-ran\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let before = stats(&origin);
    workspace.session_on(&origin);
    let mount = workspace.mount();
    sh(
        mount.root(),
        "echo more >>dir-3/file-3; git mv dir-2/file-2 moved; git rm -q dir-4/file-4; git commit -qam second",
    );
    assert_eq!(sh(mount.root(), "git log --format=%s; cat hook-ran"), "second\nfirst\nran\n");
    sh(mount.root(), "git checkout -q -b side HEAD~1; git checkout -q -; git gc -q --prune=now; git fsck --strict");
    assert_eq!(sh(mount.root(), "git status --porcelain"), "?? hook-ran\n");
    same_after_remount(&workspace, mount);
    assert_eq!(stats(&origin), before);
}

#[test]
fn an_editor_saves_with_backup_and_rename() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    fs::write(origin.join("text"), "old\n").unwrap();
    fs::set_permissions(origin.join("text"), fs::Permissions::from_mode(0o751)).unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let at = |name: &str| mount.root().join(name);
    // Backup by rename, then a new file under the old name.
    fs::rename(at("text"), at("text~")).unwrap();
    fs::write(at("text"), "first\n").unwrap();
    fs::set_permissions(at("text"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::File::open(at("text")).unwrap().sync_all().unwrap();
    // Then a temporary file over it, while somebody reads the old one.
    let reader = fs::File::open(at("text")).unwrap();
    fs::write(at(".text.tmp"), "second\n").unwrap();
    fs::rename(at(".text.tmp"), at("text")).unwrap();
    assert_eq!(std::io::read_to_string(reader).unwrap(), "first\n");
    assert_eq!(fs::read_to_string(at("text")).unwrap(), "second\n");
    assert_eq!(fs::read_to_string(at("text~")).unwrap(), "old\n");
    assert_eq!(fs::metadata(at("text~")).unwrap().mode() & 0o7777, 0o751);
    same_after_remount(&workspace, mount);
    assert_eq!(fs::read_to_string(origin.join("text")).unwrap(), "old\n");
}

#[test]
fn two_sqlite_writers_share_a_database_with_a_log() {
    if skipped() || !has("sqlite3") {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    sh(&origin, "sqlite3 base.db 'create table t (who, n); insert into t values (0, 0);'");
    workspace.session_on(&origin);
    let mount = workspace.mount();
    sh(mount.root(), "sqlite3 base.db 'pragma journal_mode = wal;'");
    let writers: Vec<Child> = (1..3)
        .map(|who| {
            let insert = format!("insert into t select {who}, count(*) from t where who = {who};");
            let script = format!("i=0; while [ $i -lt 60 ]; do echo '{insert}'; i=$((i + 1)); done");
            let script = format!("{{ echo '.timeout 20000'; {script}; }} | sqlite3 -bail base.db");
            shell(mount.root(), &script).spawn().unwrap()
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let ask = "sqlite3 base.db 'select who, count(*), max(n) from t group by who; pragma integrity_check;'";
    let want = "0|1|0\n1|60|59\n2|60|59\nok\n";
    assert_eq!(sh(mount.root(), ask), want);
    mount.end();
    let mount = workspace.mount();
    assert_eq!(sh(mount.root(), ask), want);
    mount.end();
    assert_eq!(sh(&origin, "sqlite3 base.db 'select count(*) from t'"), "1\n");
}

#[test]
fn make_finds_nothing_to_do_after_import_and_then_only_what_was_edited() {
    if skipped() || !has("make") {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    let rules = "all: $(patsubst %.in,%.out,$(wildcard *.in))\n%.out: %.in\n\tcp $< $@\n";
    fs::write(origin.join("Makefile"), rules).unwrap();
    sh(&origin, "for i in 1 2 3 4 5; do echo $i >$i.in; done; make -s");
    workspace.session_on(&origin);
    let mount = workspace.mount();
    sh(mount.root(), "make -q");
    assert_eq!(sh(mount.root(), "echo edited >>3.in; make"), "cp 3.in 3.out\n");
    mount.end();
    let mount = workspace.mount();
    sh(mount.root(), "make -q");
    same_after_remount(&workspace, mount);
}

#[test]
fn cargo_builds_nothing_again_after_a_remount() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir_all(origin.join("src")).unwrap();
    fs::write(origin.join("Cargo.toml"), "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
        .unwrap();
    fs::write(origin.join("src/main.rs"), "fn main() { println!(\"one\"); }\n").unwrap();
    workspace.session_on(&origin);
    let build = |root: &Path| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline"]).current_dir(root).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
        let output = cargo.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said.contains("Compiling")
    };
    let mount = workspace.mount();
    assert!(build(mount.root()));
    mount.end();
    let mount = workspace.mount();
    assert!(!build(mount.root()), "what was built before the remount is out of date after it");
    fs::write(mount.root().join("src/main.rs"), "fn main() { println!(\"two\"); }\n").unwrap();
    assert!(build(mount.root()));
    assert_eq!(sh(mount.root(), "target/debug/small"), "two\n");
    same_after_remount(&workspace, mount);
}

#[test]
fn tar_and_rsync_carry_a_tree_out_and_in_again() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = repository(&workspace);
    sh(&origin, "mkfifo fifo; truncate -s 9M sparse; printf x >>sparse; chmod 6755 dir-1/file-8; mkdir -m 1777 empty");
    workspace.session_on(&origin);
    let mount = workspace.mount();
    same_trees(&origin, mount.root()).unwrap();
    for name in ["out", "in"] {
        fs::create_dir(workspace.path(name)).unwrap();
    }
    let out = workspace.path("out").display().to_string();
    sh(mount.root(), &format!("tar --xattrs -cSf - . | tar --xattrs -xpf - -C '{out}'"));
    same_trees(mount.root(), &workspace.path("out")).unwrap();
    sh(mount.root(), &format!("mkdir again; tar -C '{out}' -cSf - . | tar -xpf - -C again"));
    same_trees(&workspace.path("out"), &mount.root().join("again")).unwrap();
    if has("rsync") {
        sh(
            mount.root(),
            &format!("mkdir synced; rsync -aHAXS '{out}/' synced/; rsync -aHAXSc --itemize-changes '{out}/' synced/"),
        );
        same_trees(&workspace.path("out"), &mount.root().join("synced")).unwrap();
    }
    same_after_remount(&workspace, mount);
}

#[test]
fn a_python_environment_works_after_a_remount() {
    if skipped() || !has("python3") {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    workspace.session_on(&origin);
    let mount = workspace.mount();
    sh(mount.root(), "python3 -m venv --without-pip env");
    sh(mount.root(), "echo 'answer = 42' >$(echo env/lib/python3*)/site-packages/small.py");
    assert_eq!(sh(mount.root(), "env/bin/python -c 'import small; print(small.answer)'"), "42\n");
    mount.end();
    let mount = workspace.mount();
    assert_eq!(
        sh(mount.root(), "env/bin/python -c 'import small, sys; print(sys.prefix != sys.base_prefix)'"),
        "True\n"
    );
    same_after_remount(&workspace, mount);
}
