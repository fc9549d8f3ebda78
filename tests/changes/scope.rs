//! Tracked and scratch.

use std::fs;

use aether::ops::changes::Scope;
use aether::ops::rules::Globs;

use super::{Bench, status};

#[test]
fn scratch_is_what_is_ignored_or_under_git_or_matches_a_glob() {
    let bench = Bench::new();
    bench.write("t/.gitignore", "*.o\n/target/\n");
    bench.write("t/sub/.gitignore", "!keep.o\nlocal\n");
    bench.write("t/old/.gitignore", "junk\n");
    bench.write("t/old/junk", "x");
    bench.write("t/old/work", "y");
    let old = bench.import("t");
    for path in [".git/HEAD", "a.o", "target/x", "sub/keep.o", "sub/local", "sub/.git/config", "src/a.c", "out/log"] {
        bench.write(&format!("t/{path}"), path);
    }
    fs::remove_dir_all(bench.path("t/old")).unwrap();
    let new = bench.import("t");
    let tracked = Scope::Tracked(Globs::new(&["out/"]).unwrap());
    let expected = ["D old/", "D old/.gitignore", "D old/work", "A src/", "A src/a.c", "A sub/keep.o"];
    assert_eq!(status(&bench.changes_in(old, new, &tracked)), expected);
    let all = status(&bench.changes(old, new));
    assert!(all.contains(&"A .git/HEAD".to_owned()) && all.contains(&"D old/junk".to_owned()), "{all:?}");
}
