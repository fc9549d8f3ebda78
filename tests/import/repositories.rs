//! Git repositories: a commit as it would be checked out, and nothing that came with it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use aether::model::{Body, BytePath, Content, Entry, RootId};
use aether::ops::git::{self, Address, GitOptions, ImportedGit};
use aether::ops::import::ImportError;
use aether::ops::rules::Globs;
use aether::overlay::Lower;
use aether::store::tree::find_path;

use super::Bench;

/// Runs git in a directory as somebody with no configuration.
fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for (name, value) in [("NAME", "ann"), ("EMAIL", "ann@example.org"), ("DATE", "2024-05-06T07:08:09Z")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let output = command.arg("-C").arg(dir).args(["-c", "protocol.file.allow=always"]).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Bench {
    fn options(&self, rev: Option<&str>) -> GitOptions {
        GitOptions {
            rev: rev.map(str::to_owned),
            submodules: false,
            exclude: Globs::default(),
            max_bytes: 64 << 20,
            owner: (1, 2),
            data_dir: self.dir.path().join("data"),
        }
    }

    fn take(
        &self,
        address: &Address,
        previous: Option<RootId>,
        options: &GitOptions,
    ) -> Result<ImportedGit, ImportError> {
        git::import(&self.store.hold().unwrap(), address, previous, options, &(), &AtomicBool::new(false))
    }

    fn local(&self) -> Address {
        Address::Local(self.origin())
    }

    fn entry(&self, root: RootId, path: &str) -> Entry {
        find_path(&self.store, root, &BytePath::parse(path.as_bytes()).unwrap()).unwrap().unwrap()
    }

    fn text(&self, root: RootId, path: &str) -> Vec<u8> {
        let entry = self.entry(root, path);
        let Body::File(content) = entry.body else { panic!("{entry:?}") };
        let mut bytes = vec![0; entry.attr.size as usize];
        if content != Content::Hole {
            self.store.read(&content, entry.attr.size, 0, &mut bytes).unwrap();
        }
        bytes
    }

    fn fetched_leftovers(&self) -> Vec<PathBuf> {
        let tmp = fs::read_dir(self.dir.path().join("data/tmp"));
        tmp.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }
}

/// A repository with some history: `main` with two commits and the tag `v1` on the first.
fn history(bench: &Bench) {
    let dir = bench.origin();
    git(&dir, &["init", "-q", "-b", "main"]);
    bench.write("src/main.rs", "fn main() {}\n");
    bench.write("run.sh", "#!/bin/sh\n");
    bench.write("big.bin", vec![5; 3 << 20]);
    bench.write("empty", "");
    fs::set_permissions(dir.join("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("src/main.rs", dir.join("link")).unwrap();
    git(&dir, &["add", "-A"]);
    git(&dir, &["commit", "-qm", "one"]);
    git(&dir, &["tag", "-a", "v1", "-m", "v1"]);
    bench.write("src/main.rs", "fn main() { go() }\n");
    git(&dir, &["commit", "-qam", "two"]);
    // What is not committed does not come along.
    bench.write("src/main.rs", "uncommitted");
    bench.write("untracked", "x");
}

#[test]
fn a_commit_is_taken_as_it_would_be_checked_out() {
    let bench = Bench::new();
    history(&bench);
    let taken = bench.take(&bench.local(), None, &bench.options(None)).unwrap();
    assert_eq!(bench.paths(taken.root), ["big.bin", "empty", "link", "run.sh", "src/", "src/main.rs"]);
    assert_eq!(bench.text(taken.root, "src/main.rs"), b"fn main() { go() }\n");
    assert_eq!(bench.text(taken.root, "big.bin"), vec![5; 3 << 20]);
    assert_eq!(taken.commit, git(&bench.origin(), &["rev-parse", "HEAD"]));
    let run = bench.entry(taken.root, "run.sh").attr;
    assert_eq!((run.perm, run.uid, run.gid, run.mtime.secs), (0o755, 1, 2, 1_714_979_289));
    assert!(matches!(bench.entry(taken.root, "link").body, Body::Symlink(target) if &*target == b"src/main.rs"));
    assert_eq!((taken.totals.files, taken.totals.dirs), (5, 2));
    let tag = bench.take(&bench.local(), None, &bench.options(Some("v1"))).unwrap();
    assert_eq!(bench.text(tag.root, "src/main.rs"), b"fn main() {}\n");
    let gone = bench.take(&bench.local(), None, &bench.options(Some("--output=x")));
    assert!(matches!(gone, Err(ImportError::Git { .. })), "{gone:?}");
}

#[test]
fn addresses_and_bundles_give_the_same_tree_as_the_repository() {
    let bench = Bench::new();
    history(&bench);
    let bundle = bench.dir.path().join("all.bundle");
    git(&bench.origin(), &["bundle", "create", "-q", bundle.to_str().unwrap(), "--all"]);
    let url = Address::Remote(format!("file://{}", bench.origin().display()));
    let commit = git(&bench.origin(), &["rev-parse", "v1^{commit}"]);
    for rev in [None, Some("main"), Some("v1"), Some(commit.as_str()), Some(&commit[..10])] {
        let wanted = bench.take(&bench.local(), None, &bench.options(rev)).unwrap();
        for address in [&url, &Address::Bundle(bundle.clone())] {
            let taken = bench.take(address, None, &bench.options(rev)).unwrap();
            assert_eq!((taken.root, taken.commit), (wanted.root, wanted.commit.clone()), "{rev:?} {address:?}");
        }
    }
    let Address::Remote(url) = url else { unreachable!() };
    assert_eq!(git::remote_commit(&url, Some("v1")).unwrap(), Some(commit));
    assert_eq!(git::remote_commit(&url, Some("none")).unwrap(), None);
    assert!(bench.fetched_leftovers().is_empty());
}

#[test]
fn a_refresh_touches_only_what_the_commits_differ_in() {
    let bench = Bench::new();
    history(&bench);
    let one = bench.take(&bench.local(), None, &bench.options(Some("v1"))).unwrap();
    git(&bench.origin(), &["reset", "-q", "--hard"]);
    bench.write("another", "x");
    git(&bench.origin(), &["add", "-A"]);
    let late = Command::new("git")
        .env("GIT_COMMITTER_DATE", "2025-01-01T00:00:00Z")
        .arg("-C")
        .arg(bench.origin())
        .args(["-c", "user.name=ann", "-c", "user.email=a@b", "commit", "-qm", "three"])
        .status();
    assert!(late.unwrap().success());
    let two = bench.take(&bench.local(), Some(one.root), &bench.options(None)).unwrap();
    assert_eq!(bench.entry(one.root, "run.sh").attr, bench.entry(two.root, "run.sh").attr);
    let (before, after) = (bench.entry(one.root, "src/main.rs").attr, bench.entry(two.root, "src/main.rs").attr);
    assert_eq!(before.ino, after.ino);
    assert!(before.mtime < after.mtime);
    let same = bench.take(&bench.local(), Some(two.root), &bench.options(None)).unwrap();
    assert_eq!(same.root, two.root);
}

#[test]
fn nothing_that_came_with_a_repository_runs() {
    let bench = Bench::new();
    history(&bench);
    let dir = bench.origin();
    let marker = bench.dir.path().join("ran");
    let touch = format!("touch {}", marker.display());
    bench.write(".gitattributes", "* filter=evil diff=evil\n");
    git(&dir, &["-c", "filter.evil.clean=cat", "add", ".gitattributes"]);
    git(&dir, &["commit", "-qm", "attributes"]);
    for key in [
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.evil.textconv",
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "uploadpack.packObjectsHook",
        "core.editor",
        "gpg.program",
    ] {
        git(&dir, &["config", key, &touch]);
    }
    for hook in ["post-checkout", "post-merge", "pre-commit", "reference-transaction", "post-index-change"] {
        let path = dir.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    bench.take(&bench.local(), None, &bench.options(None)).unwrap();
    let url = format!("file://{}", dir.display());
    bench.take(&Address::Remote(url), None, &bench.options(None)).unwrap();
    assert!(!marker.exists());
    let ext = bench.take(&Address::Remote(format!("ext::sh -c {touch}")), None, &bench.options(None));
    assert!(matches!(ext, Err(ImportError::Git { .. })), "{ext:?}");
    assert!(!marker.exists());
}

#[test]
fn trees_that_git_would_not_check_out_are_refused() {
    let bench = Bench::new();
    history(&bench);
    let dir = bench.origin();
    let blob = git(&dir, &["rev-parse", "HEAD:run.sh"]);
    for name in [".git", ".GIT", ".."] {
        let tree = Command::new("sh")
            .args(["-c", &format!("printf '100644 blob {blob}\\t{name}\\0' | git -C '{}' mktree -z", dir.display())])
            .output()
            .unwrap();
        let tree = String::from_utf8_lossy(&tree.stdout).trim().to_owned();
        assert_eq!(tree.len(), 40, "{name}");
        let commit = git(&dir, &["commit-tree", "-m", "evil", &tree]);
        let refused = bench.take(&bench.local(), None, &bench.options(Some(&commit)));
        assert!(matches!(refused, Err(ImportError::Entry(_))), "{name}: {refused:?}");
    }
    let small = GitOptions { max_bytes: 1 << 20, ..bench.options(None) };
    assert!(matches!(bench.take(&bench.local(), None, &small), Err(ImportError::TooLarge { .. })));
}

#[test]
fn submodules_come_along_only_when_asked_for() {
    let bench = Bench::new();
    let lib = bench.dir.path().join("lib");
    fs::create_dir(&lib).unwrap();
    git(&lib, &["init", "-q", "-b", "main"]);
    fs::write(lib.join("lib.c"), "int x;\n").unwrap();
    git(&lib, &["add", "-A"]);
    git(&lib, &["commit", "-qm", "lib"]);
    history(&bench);
    git(&bench.origin(), &["reset", "-q", "--hard"]);
    git(&bench.origin(), &["submodule", "--quiet", "add", lib.to_str().unwrap(), "vendor/lib"]);
    git(&bench.origin(), &["commit", "-qm", "with lib"]);
    let without = bench.take(&bench.local(), None, &bench.options(None)).unwrap();
    assert!(bench.paths(without.root).contains(&"vendor/lib/".to_owned()));
    assert!(!bench.paths(without.root).contains(&"vendor/lib/lib.c".to_owned()));
    let with = GitOptions { submodules: true, ..bench.options(None) };
    let taken = bench.take(&bench.local(), None, &with).unwrap();
    assert_eq!(bench.text(taken.root, "vendor/lib/lib.c"), b"int x;\n");
    // From elsewhere, an address of this machine in `.gitmodules` is not followed.
    let url = Address::Remote(format!("file://{}", bench.origin().display()));
    let refused = bench.take(&url, None, &with);
    assert!(matches!(refused, Err(ImportError::Git { .. })), "{refused:?}");
    assert!(bench.fetched_leftovers().is_empty());
}
