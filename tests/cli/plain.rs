//! Sessions written to plain directories, and taken back from them.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use serde_json::json;

use super::World;

/// A tree with one of everything that anybody can make.
fn fill(top: &Path) {
    fs::create_dir_all(top.join("deep/er")).unwrap();
    fs::create_dir_all(top.join("empty")).unwrap();
    fs::write(top.join("deep/er/file"), "content\n").unwrap();
    fs::hard_link(top.join("deep/er/file"), top.join("linked")).unwrap();
    symlink("deep/nowhere", top.join("link")).unwrap();
    fs::write(top.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(top.join("run.sh"), fs::Permissions::from_mode(0o751)).unwrap();
    let sparse = fs::File::create(top.join("sparse")).unwrap();
    sparse.set_len(8 << 20).unwrap();
    sparse.write_at(b"in the middle", 4 << 20).unwrap();
    fs::write(top.join(".aetherignore"), "*.tmp\n").unwrap();
    fs::set_permissions(top.join("deep"), fs::Permissions::from_mode(0o500)).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        top.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
}

/// What is at each path: everything that is to be kept.
fn listing(top: &Path) -> Vec<String> {
    fn below(top: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(top).unwrap().display().to_string();
            let (mtime, size) = ((meta.mtime(), meta.mtime_nsec()), if meta.is_dir() { 0 } else { meta.size() });
            let links = if meta.is_dir() { 0 } else { meta.nlink() };
            let content = match () {
                () if meta.is_file() => blake3::hash(&fs::read(&path).unwrap()).to_string(),
                () if meta.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
                () => String::new(),
            };
            let owner = (meta.uid(), meta.gid());
            found.push(format!("{name} {:o} {owner:?} {mtime:?} {size} {links} {content}", meta.mode()));
            if meta.is_dir() {
                below(top, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    below(top, top, &mut found);
    found.sort();
    found
}

fn world() -> World {
    let world = World::with_web();
    fill(&world.path("src/web"));
    world.ok(["source", "refresh", "web"]);
    world.ok(["session", "create", "work", "--source", "web"]);
    world
}

#[test]
fn a_session_in_a_plain_directory_is_the_tree_with_everything() {
    let world = world();
    let out = world.ok(["session", "materialize", "work", "plain"]);
    assert!(out.contains("Wrote session work to "), "{out}");
    assert_eq!(listing(&world.path("plain")), listing(&world.path("src/web")));
    let blocks = fs::metadata(world.path("plain/sparse")).unwrap().blocks();
    assert!(blocks < 1024, "holes are holes: {blocks}");
    let absorbed = &world.json(["session", "absorb", "work", "plain"])[0];
    // A file gets another time when it is linked.
    assert_eq!((&absorbed["changes"], &absorbed["files_read"]), (&json!([]), &json!(1)));
    assert_eq!(absorbed["before"], json!(null));
    assert_eq!(world.json(["checkpoint", "list", "work"]).len(), 0);
}

#[test]
fn what_happened_in_the_directory_comes_into_the_session_and_goes_back() {
    let world = world();
    world.ok(["session", "materialize", "work", "plain"]);
    world.ok(["checkpoint", "create", "work"]);
    let plain = world.path("plain");
    fs::write(plain.join("index.html"), "<p>absorbed</p>\n").unwrap();
    fs::rename(plain.join("lib"), plain.join("library")).unwrap();
    fs::remove_file(plain.join("run.sh")).unwrap();
    fs::write(plain.join("left.tmp"), "rule files of the tree are not heeded").unwrap();
    fs::set_permissions(plain.join("empty"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::File::open(plain.join("sparse")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let planned = world.ok(["session", "absorb", "work", "plain", "--dry-run"]);
    assert!(planned.ends_with("would change\n"), "{planned}");
    assert_eq!(world.ok(["diff", "work@1", "work", "--name-status"]), "");
    let absorbed = &world.json(["session", "absorb", "work", "plain"])[0];
    let letters: Vec<_> = absorbed["changes"].as_array().unwrap().iter().map(|change| change["path"].clone()).collect();
    assert_eq!(letters, ["empty", "index.html", "left.tmp", "library/app.js", "run.sh"]);
    assert_eq!(absorbed["before"], "work@2");
    assert_eq!(world.ok(["cat", "work:index.html"]), "<p>absorbed</p>\n");
    // The session's files stay the same files: a rename is known by the inode.
    let status = world.ok(["diff", "work@1", "work", "--all", "--name-status"]);
    assert!(status.contains("R\tlib/app.js\tlibrary/app.js\n"), "{status}");
    world.ok(["session", "materialize", "work", "again"]);
    assert_eq!(listing(&world.path("again")), listing(&plain));
    // Nothing is left to absorb, and what was absorbed can be taken back.
    let again = &world.json(["session", "absorb", "work", "plain"])[0];
    assert_eq!(again["changes"], json!([]));
    world.ok(["restore", "work@2"]);
    assert_eq!(world.ok(["diff", "work@1", "work", "--all", "--name-status"]), "");
}

#[test]
fn a_file_that_keeps_its_length_and_time_is_found_out_by_its_change_time() {
    let world = world();
    world.ok(["session", "materialize", "work", "plain"]);
    let file = world.path("plain/index.html");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "<p>HELLO</p>\n").unwrap();
    fs::File::open(&file).unwrap().set_modified(time).unwrap();
    world.ok(["session", "absorb", "work", "plain"]);
    assert_eq!(world.ok(["cat", "work:index.html"]), "<p>HELLO</p>\n");
}

#[test]
fn both_sides_are_kept_unless_they_are_about_the_same_path() {
    let world = world();
    for name in ["one", "two"] {
        world.ok(["session", "materialize", "work", name]);
    }
    fs::write(world.path("one/index.html"), "one\n").unwrap();
    fs::write(world.path("one/only-one"), "one\n").unwrap();
    fs::write(world.path("two/only-two"), "two\n").unwrap();
    world.ok(["session", "absorb", "work", "one"]);
    world.ok(["session", "absorb", "work", "two"]);
    let paths = |args: &[&str]| world.ok([&["diff", "work", "--name-status"], args].concat());
    assert_eq!(paths(&[]), "M\tindex.html\nA\tonly-one\nA\tonly-two\n");
    fs::write(world.path("two/index.html"), "two\n").unwrap();
    let refused = world.run(["session", "absorb", "work", "two"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("`index.html`") && refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(world.ok(["cat", "work:index.html"]), "one\n");
    world.ok(["session", "absorb", "work", "two", "--force"]);
    assert_eq!(world.ok(["cat", "work:index.html"]), "two\n");
    assert_eq!(paths(&[]), "M\tindex.html\nA\tonly-one\nA\tonly-two\n");
}

#[test]
fn a_directory_of_anybody_can_be_absorbed() {
    let world = world();
    world.sh("cp -a src/web copy && echo '<p>copied</p>' >copy/index.html && rm copy/linked");
    let absorbed = &world.json(["session", "absorb", "work", "copy"])[0];
    let paths: Vec<_> = absorbed["changes"].as_array().unwrap().iter().map(|change| change["path"].clone()).collect();
    assert_eq!(paths, ["index.html", "linked"]);
    assert_eq!(world.ok(["diff", "work", "--name-status"]), "M\tindex.html\nD\tlinked\n");
}

#[test]
fn only_an_empty_place_is_written_to_and_nothing_is_left_of_a_failure() {
    let world = world();
    fs::create_dir(world.path("empty-place")).unwrap();
    world.ok(["session", "materialize", "work", "empty-place"]);
    for (place, code) in [("src", 4), ("src/web/index.html", 1), ("nowhere/below", 3), ("data/inside", 2)] {
        let ended = world.run(["session", "materialize", "work", place]);
        assert_eq!(ended.code, code, "{place}: {ended:?}");
    }
    symlink("src/web/empty", world.path("by-link")).unwrap();
    assert_eq!(world.run(["session", "materialize", "work", "by-link"]).code, 4);
    assert_eq!(fs::read_dir(world.path("src/web/empty")).unwrap().count(), 0);
    // What a process left that was killed goes with the next one.
    fs::create_dir_all(world.path(".place.aether-999999999/sub")).unwrap();
    world.ok(["session", "materialize", "work", "place"]);
    let hidden: Vec<_> = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!hidden.iter().any(|name| name.to_string_lossy().starts_with('.')), "{hidden:?}");
    assert_eq!(world.run(["session", "absorb", "work", "nowhere"]).code, 3);
}

#[test]
fn a_new_file_that_got_the_number_of_a_removed_one_is_no_rename() {
    let world = world();
    world.ok(["session", "materialize", "work", "plain"]);
    let plain = world.path("plain");
    let number = fs::metadata(plain.join("index.html")).unwrap().ino();
    fs::remove_file(plain.join("index.html")).unwrap();
    // A file system may give the number to the next file, or later, or never: then there is nothing to see here.
    let mut made = (0..64).map(|n| plain.join(format!("new-{n}")));
    let same = made.find(|path| {
        fs::write(path, "another file\n").unwrap();
        fs::metadata(path).unwrap().ino() == number
    });
    world.ok(["session", "absorb", "work", "plain"]);
    let status = world.ok(["diff", "work", "--name-status"]);
    assert!(status.contains("D\tindex.html\n") && !status.contains("R\t"), "{same:?}: {status}");
}
