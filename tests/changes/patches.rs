//! Patches go through `git apply`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use aether::model::RootId;
use aether::ops::changes::{FileDiff, Frozen, Scope, changes, patch, visible};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::Bench;

#[derive(Clone, Debug)]
enum What {
    Text { lines: Vec<&'static str>, ends: bool, executable: bool },
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
        1 => prop::sample::select(&TARGETS[..]).prop_map(What::Symlink),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| btree_map(prop::sample::select(&NAMES[..]), inner, 1..5).prop_map(What::Dir))
}

fn tree() -> impl Strategy<Value = BTreeMap<&'static str, What>> {
    btree_map(prop::sample::select(&NAMES[..]), what(), 0..6)
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
    visible(&list).into_iter().flat_map(|change| patch(change, &FileDiff::of(change, &old, &new).unwrap())).collect()
}

fn git_apply(dir: &Path, patch: &[u8]) {
    let mut git = Command::new("git");
    git.args(["-c", "core.quotepath=true", "apply", "--whitespace=nowarn", "-"]).current_dir(dir);
    git.env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap()).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut git = git.spawn().unwrap();
    git.stdin.take().unwrap().write_all(patch).unwrap();
    let output = git.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(patch));
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
            git_apply(&bench.path("a"), &patch);
            prop_assert_eq!(git_view(&bench.path("a")), git_view(&bench.path("b")));
        }
    }
}

#[test]
fn a_patch_reads_as_git_writes_it() {
    let bench = Bench::new();
    bench.write("t/edited", "one\ntwo\nthree");
    bench.write("t/moved", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    bench.write("t/binary", b"\0\x01");
    bench.write("t/mode", "x");
    let old = bench.import("t");
    bench.write("t/edited", "one\n2\nthree\n");
    fs::rename(bench.path("t/moved"), bench.path("t/z moved")).unwrap();
    fs::write(bench.path("t/z moved"), "1\n2\n3\n4\nfive\n6\n7\n8\n9\n").unwrap();
    bench.write("t/binary", b"\0\x02");
    fs::set_permissions(bench.path("t/mode"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("t/new \"one\"", "");
    let new = bench.import("t");
    let text = String::from_utf8(patch_between(&bench, old, new)).unwrap();
    let expected = "\
diff --git a/binary b/binary
Binary files a/binary and b/binary differ
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
diff --git a/moved b/z moved
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
