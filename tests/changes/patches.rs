//! Patches go through `git apply`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use aether::model::RootId;
use aether::ops::changes::{Binaries, FileDiff, Frozen, Scope, Sides, changes, patch, visible};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::Bench;

#[derive(Clone, Debug)]
enum What {
    Text { lines: Vec<&'static str>, ends: bool, executable: bool },
    Bytes(Vec<u8>),
    Symlink(&'static str),
    Dir(BTreeMap<&'static str, What>),
}

const NAMES: [&str; 8] = ["a", "b.c", "with space", "quote\"", "tab\there", "new\nline", "ü", "back\\slash"];
/// Links that lead nowhere: git cannot put a directory in the place of one that leads round in a circle.
const TARGETS: [&str; 3] = ["nowhere", "no\nwhere", "../nö where"];
const LINES: [&str; 6] = ["one", "two", "three", "--- not a header", "@@ -1 +1 @@", "zwölf"];

fn what() -> impl Strategy<Value = What> {
    let text = (vec(prop::sample::select(&LINES[..]), 0..30), any::<bool>(), any::<bool>());
    let leaf = prop_oneof![
        4 => text.prop_map(|(lines, ends, executable)| What::Text { lines, ends, executable }),
        1 => vec(any::<u8>(), 0..200).prop_map(|bytes| What::Bytes([&b"\0"[..], &bytes].concat())),
        1 => prop::sample::select(&TARGETS[..]).prop_map(What::Symlink),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| btree_map(prop::sample::select(&NAMES[..]), inner, 1..5).prop_map(What::Dir))
}

fn tree() -> impl Strategy<Value = BTreeMap<&'static str, What>> {
    btree_map(prop::sample::select(&NAMES[..]), what(), 0..6)
}

/// A tree with texts at some paths, all of them files wherever they are.
fn texts() -> impl Strategy<Value = BTreeMap<&'static str, What>> {
    let text = (vec(prop::sample::select(&LINES[..]), 0..30), any::<bool>(), any::<bool>());
    let text = || text.clone().prop_map(|(lines, ends, executable)| What::Text { lines, ends, executable });
    let dir = btree_map(prop::sample::select(&NAMES[..]), text(), 1..5).prop_map(What::Dir);
    let files = btree_map(prop::sample::select(&NAMES[..4]), text(), 0..5);
    let dirs = btree_map(prop::sample::select(&NAMES[4..]), dir, 0..3);
    (files, dirs).prop_map(|(mut files, dirs)| {
        files.extend(dirs);
        files
    })
}

fn make(dir: &Path, tree: &BTreeMap<&'static str, What>) {
    fs::create_dir(dir).unwrap();
    for (name, what) in tree {
        let path = dir.join(name);
        match what {
            What::Text { lines, ends, executable } => {
                fs::write(&path, lines.join("\n") + if *ends { "\n" } else { "" }).unwrap();
                let mode = if *executable { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            What::Bytes(bytes) => fs::write(&path, bytes).unwrap(),
            What::Symlink(target) => symlink(target, &path).unwrap(),
            What::Dir(tree) => make(&path, tree),
        }
    }
}

/// What git knows of a tree: files and links, their bytes, and whether they can be executed.
fn git_view(dir: &Path) -> BTreeMap<Vec<u8>, (bool, Vec<u8>)> {
    fn below(top: &Path, dir: &Path, found: &mut BTreeMap<Vec<u8>, (bool, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes().to_vec();
            if meta.is_dir() {
                below(top, &path, found);
            } else if meta.is_symlink() {
                found.insert(name, (false, fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()));
            } else {
                found.insert(name, (meta.permissions().mode() & 0o100 != 0, fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    below(dir, dir, &mut found);
    found
}

fn patch_between(bench: &Bench, old: RootId, new: RootId) -> Vec<u8> {
    let (old, new) = (bench.store.root(old).unwrap(), bench.store.root(new).unwrap());
    let (old, new) = (Frozen::new(&bench.store, &old), Frozen::new(&bench.store, &new));
    let list = changes(&old, &new, &Scope::All).unwrap();
    let mut out = Vec::new();
    for change in visible(&list) {
        let diff = FileDiff::of(change, &old, &new).unwrap();
        patch(change, &diff, Sides { old: &old, new: &new }, Binaries::Held, &mut out).unwrap();
    }
    out
}

fn git_apply(dir: &Path, patch: &[u8], more: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "core.quotepath=true", "apply", "--whitespace=nowarn"]).args(more).arg("-").current_dir(dir);
    git.env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap());
    let said = feed(&mut git, patch);
    assert!(said.is_ok(), "{}\n{}", said.unwrap_err(), String::from_utf8_lossy(&patch[..patch.len().min(10_000)]));
}

/// Runs a program on an input; an error is what it said.
fn feed(program: &mut Command, input: &[u8]) -> Result<(), String> {
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let fed = program.stdin.take().unwrap().write_all(input);
    let output = program.wait_with_output().unwrap();
    match output.status.success() && fed.is_ok() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn git_makes_the_new_tree_of_the_old_one_and_the_patch(a in tree(), b in tree()) {
        let bench = Bench::new();
        make(&bench.path("a"), &a);
        make(&bench.path("b"), &b);
        let patch = patch_between(&bench, bench.import("a"), bench.import("b"));
        if patch.is_empty() {
            prop_assert_eq!(git_view(&bench.path("a")), git_view(&bench.path("b")));
        } else {
            let before = git_view(&bench.path("a"));
            git_apply(&bench.path("a"), &patch, &[]);
            prop_assert_eq!(git_view(&bench.path("a")), git_view(&bench.path("b")));
            git_apply(&bench.path("a"), &patch, &["--reverse"]);
            // When git brings a deleted file back, it forgets that it could be executed.
            let bytes = |view: BTreeMap<Vec<u8>, (bool, Vec<u8>)>| view.into_iter().map(|(path, (_, bytes))| (path, bytes));
            prop_assert!(bytes(git_view(&bench.path("a"))).eq(bytes(before)));
        }
    }
}

#[test]
fn a_patch_reads_as_git_writes_it_but_for_quotes_around_spaces() {
    let bench = Bench::new();
    bench.write("t/edited", "one\ntwo\nthree");
    bench.write("t/moved", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    bench.write("t/mode", "x");
    let old = bench.import("t");
    bench.write("t/edited", "one\n2\nthree\n");
    fs::rename(bench.path("t/moved"), bench.path("t/z moved")).unwrap();
    fs::write(bench.path("t/z moved"), "1\n2\n3\n4\nfive\n6\n7\n8\n9\n").unwrap();
    fs::set_permissions(bench.path("t/mode"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("t/new \"one\"", "");
    let new = bench.import("t");
    let text = String::from_utf8(patch_between(&bench, old, new)).unwrap();
    let expected = "\
diff --git a/edited b/edited
--- a/edited
+++ b/edited
@@ -1,3 +1,3 @@
 one
-two
-three
\\ No newline at end of file
+2
+three
diff --git a/mode b/mode
old mode 100644
new mode 100755
diff --git \"a/new \\\"one\\\"\" \"b/new \\\"one\\\"\"
new file mode 100644
index 0000000..e69de29
diff --git a/moved \"b/z moved\"
similarity index 76%
rename from moved
rename to z moved
--- a/moved
+++ b/z moved\t
@@ -2,7 +2,7 @@
 2
 3
 4
-5
+five
 6
 7
 8
";
    assert_eq!(text, expected);
}

#[test]
fn large_files_that_are_no_text_go_through_git_both_ways() {
    let bench = Bench::new();
    let noise = |seed: u8, len: usize| {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    };
    bench.write("a/changed", noise(1, 5 << 20));
    bench.write("a/long text", "a line\n".repeat(3 << 20));
    bench.write("a/gone", [noise(2, 100), vec![0]].concat());
    bench.write("b/changed", noise(3, (5 << 20) + 51));
    bench.write("b/long text", "a line\n".repeat(3 << 20) + "and one");
    bench.write("b/came", [noise(4, 1000), vec![0]].concat());
    let patch = patch_between(&bench, bench.import("a"), bench.import("b"));
    let before = git_view(&bench.path("a"));
    git_apply(&bench.path("a"), &patch, &[]);
    assert!(git_view(&bench.path("a")) == git_view(&bench.path("b")));
    git_apply(&bench.path("a"), &patch, &["--reverse"]);
    assert!(git_view(&bench.path("a")) == before);
}

#[test]
fn patch_finds_names_with_spaces_of_files_without_lines() {
    let bench = Bench::new();
    bench.write("a/old one", "");
    bench.write("a/a mode", "x");
    bench.write("b/new one", "");
    bench.write("b/a mode", "x");
    fs::set_permissions(bench.path("b/a mode"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("b/one more", "");
    let patch = patch_between(&bench, bench.import("a"), bench.import("b"));
    let mut program = Command::new("patch");
    program.args(["-p1", "--quiet", "--no-backup-if-mismatch"]).current_dir(bench.path("a"));
    feed(&mut program, &patch).unwrap();
    assert_eq!(git_view(&bench.path("a")), git_view(&bench.path("b")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// What `patch` does not know of git's form is left out: files that are no text, and a path that is a file on one
    /// side and a directory on the other, whose order it does not find by itself.
    #[test]
    fn patch_makes_the_new_texts_of_the_old_ones(a in texts(), b in texts()) {
        let bench = Bench::new();
        make(&bench.path("a"), &a);
        make(&bench.path("b"), &b);
        let patch = patch_between(&bench, bench.import("a"), bench.import("b"));
        let mut program = Command::new("patch");
        program.args(["-p1", "--quiet", "--no-backup-if-mismatch"]).current_dir(bench.path("a"));
        let said = feed(&mut program, &patch);
        prop_assert!(said.is_ok(), "{}\n{}", said.unwrap_err(), String::from_utf8_lossy(&patch));
        prop_assert_eq!(git_view(&bench.path("a")), git_view(&bench.path("b")));
    }
}
