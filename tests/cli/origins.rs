//! Sources from archives and repositories, as a user makes them.

use std::fs;
use std::process::{Command, Stdio};

use super::{World, end};

impl World {
    /// With the repository `repo`, the bundle `repo.bundle` and the archive `tree.tar.gz`.
    fn with_origins() -> Self {
        let world = Self::new();
        world.sh("git init -q -b main repo; cd repo; git config user.name ann; git config user.email ann@example.org
             echo one >file; git add file; git commit -qm one; git tag v1
             echo two >file; git commit -qam two; git bundle create -q ../repo.bundle --all
             cd ..; mkdir tree; echo hi >tree/file; tar czf tree.tar.gz tree");
        world
    }

    fn kind_and_files(&self, name: &str) -> (String, u64) {
        let shown = &self.json(["source", "show", name])[0];
        (shown["kind"].as_str().unwrap().to_owned(), shown["newest"]["files"].as_u64().unwrap())
    }
}

#[test]
fn the_kind_of_an_origin_is_recognised() {
    let world = World::with_origins();
    let url = format!("file://{}", world.path("repo").display());
    for (name, args, kind) in [
        ("dir", vec!["tree"], "dir"),
        ("rev", vec!["repo", "--rev", "v1"], "git"),
        ("forced", vec!["repo", "--kind", "git"], "git"),
        ("bare", vec!["repo/.git"], "git"),
        ("url", vec![&url], "git"),
        ("bundle", vec!["repo.bundle", "--rev", "v1"], "bundle"),
        ("tar", vec!["tree.tar.gz"], "tar"),
    ] {
        world.ok([&["source", "create", name][..], &args].concat());
        assert_eq!(world.kind_and_files(name), (kind.to_owned(), 1), "{name}");
    }
    fs::write(world.path("note.txt"), "no archive").unwrap();
    let refused = world.run(["source", "create", "note", "note.txt"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("no directory, git repository, bundle or tar archive"), "{refused:?}");
    for wrong in [
        &["tree", "--submodules"][..],
        &["tree", "--max-size", "1G"],
        &["tree.tar.gz", "--rev", "x"],
        &["tree", "--max-size", "x"],
    ] {
        let ended = world.run([&["source", "create", "wrong"][..], wrong].concat());
        assert_eq!(ended.code, 2, "{wrong:?} {ended:?}");
    }
    assert_eq!(world.run(["source", "create", "none", "repo", "--rev", "nowhere"]).code, 1);
    assert_eq!(world.json(["source", "list"]).len(), 7);
}

#[test]
fn an_archive_can_come_in_on_standard_input() {
    let world = World::with_origins();
    let tar = Command::new("tar").arg("-C").arg(world.path("tree")).args(["-cf", "-", "."]).output().unwrap().stdout;
    fs::write(world.path("in"), &tar).unwrap();
    let mut create = world.aether(["source", "create", "in", "-"]);
    let ended = end(create.stdin(Stdio::from(fs::File::open(world.path("in")).unwrap())));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(world.kind_and_files("in"), ("tar".to_owned(), 1));
    assert_eq!(world.run(["source", "refresh", "in"]).code, 1);
    let none = world.run(["source", "create", "nothing", "-"]);
    assert_eq!(none.code, 1, "{none:?}");
}

#[test]
fn a_refresh_follows_the_repository_and_the_archive() {
    let world = World::with_origins();
    let url = format!("file://{}", world.path("repo").display());
    world.ok(["source", "create", "local", "repo", "--kind", "git"]);
    world.ok(["source", "create", "remote", &url, "--rev", "main"]);
    world.ok(["source", "create", "tar", "tree.tar.gz"]);
    let revisions = |name: &str| world.json(["source", "log", name]).len();
    for name in ["local", "remote", "tar"] {
        world.ok(["source", "refresh", name]);
        assert_eq!(revisions(name), 1, "{name}");
    }
    world.sh(
        "cd repo; echo three >more; git add more; git commit -qm three; cd ..; echo >tree/x; tar czf tree.tar.gz tree",
    );
    for name in ["local", "remote", "tar"] {
        world.ok(["source", "refresh", name]);
        assert_eq!((revisions(name), world.kind_and_files(name).1), (2, 2), "{name}");
    }
    let log = world.json(["source", "log", "local"]);
    let head = end(world.command("git").args(["-C", "repo", "rev-parse", "HEAD"])).out;
    assert_eq!(log[0]["origin_version"], head.trim());
}

#[test]
fn an_archive_beyond_the_limit_leaves_no_source() {
    let world = World::with_origins();
    let refused = world.run(["source", "create", "big", "tree.tar.gz", "--max-size", "1K"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("--max-size"), "{refused:?}");
    assert!(world.json(["source", "list"]).is_empty());
}
