//! Which paths are changes, and which are not.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use aether::model::{Body, ChangeKind, Kind, RootId};
use aether::ops::changes::{Change, visible};
use aether::overlay::{SnapshotBody, SnapshotEntry};
use aether::store::Store;
use proptest::prelude::*;

use super::{Bench, status};
use crate::import::{compare, trees};

/// What counts as the state of a path: kind, mode, content.
type State = (Kind, u16, Vec<u8>);

fn states(store: &Store, root: RootId) -> BTreeMap<Vec<u8>, State> {
    let entries = compare::all(store, root).into_iter();
    entries
        .map(|(path, entry)| {
            let bytes = match &entry.body {
                Body::File(_) => compare::content(store, &entry),
                Body::Symlink(target) => target.to_vec(),
                Body::Dir(_) | Body::Special => entry.attr.rdev.to_le_bytes().to_vec(),
            };
            let perm = if entry.attr.kind == Kind::Symlink { 0 } else { entry.attr.perm };
            (path.as_bytes().to_vec(), (entry.attr.kind, perm, bytes))
        })
        .collect()
}

fn state(store: &Store, entry: &SnapshotEntry) -> State {
    use aether::overlay::Lower;
    let bytes = match &entry.body {
        SnapshotBody::File(content) => {
            let mut bytes = vec![0; entry.attr.size as usize];
            store.read(&content.unwrap(), entry.attr.size, 0, &mut bytes).unwrap();
            bytes
        }
        SnapshotBody::Symlink(target) => target.to_vec(),
        SnapshotBody::Dir(_) | SnapshotBody::Special => entry.attr.rdev.to_le_bytes().to_vec(),
    };
    (entry.attr.kind, if entry.attr.kind == Kind::Symlink { 0 } else { entry.attr.perm }, bytes)
}

/// What the changes make of a tree.
fn apply(store: &Store, mut states: BTreeMap<Vec<u8>, State>, changes: &[Change]) -> BTreeMap<Vec<u8>, State> {
    for change in changes {
        let from = match &change.kind {
            ChangeKind::Renamed { from } => from,
            _ => &change.path,
        };
        if let Some(old) = &change.old {
            assert_eq!(states.remove(from.as_bytes()), Some(state(store, old)), "{change:?}");
        }
    }
    for change in changes {
        if let Some(new) = &change.new {
            let before = states.insert(change.path.as_bytes().to_vec(), state(store, new));
            assert!(before.is_none(), "{change:?}");
        }
    }
    states
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_changes_applied_to_the_old_tree_give_the_new_one(a in trees::tree(), b in trees::tree()) {
        let bench = Bench::new();
        for (name, tree) in [("a", &a), ("b", &b)] {
            fs::create_dir(bench.path(name)).unwrap();
            trees::make(&bench.path(name), tree);
        }
        let (old, new) = (bench.import("a"), bench.import("b"));
        let changes = bench.changes(old, new);
        prop_assert_eq!(apply(&bench.store, states(&bench.store, old), &changes), states(&bench.store, new));
        prop_assert!(bench.changes(old, old).is_empty());
        let back = bench.changes(new, old);
        prop_assert_eq!(apply(&bench.store, states(&bench.store, new), &back), states(&bench.store, old));
    }
}

#[test]
fn each_kind_of_change_is_told_apart() {
    let bench = Bench::new();
    for (path, text) in
        [("mod", "1"), ("mode", "1"), ("gone", "one"), ("type", "1"), ("same", "1"), ("d/moved", "moved")]
    {
        bench.write(&format!("t/{path}"), text);
    }
    let old = bench.import("t");
    bench.write("t/mod", "2");
    fs::set_permissions(bench.path("t/mode"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(bench.path("t/gone")).unwrap();
    fs::remove_file(bench.path("t/type")).unwrap();
    symlink("mod", bench.path("t/type")).unwrap();
    fs::rename(bench.path("t/d/moved"), bench.path("t/here")).unwrap();
    bench.write("t/new", "new");
    fs::create_dir(bench.path("t/empty")).unwrap();
    let new = bench.import("t");
    let found = bench.changes(old, new);
    let expected = ["A empty/", "D gone", "R d/moved -> here", "M mod", "M mode", "A new", "T type"];
    assert_eq!(status(&found), expected);
    assert_eq!(found[4].kind, ChangeKind::ModeChanged);
}

#[test]
fn times_owners_and_holes_are_no_changes() {
    let bench = Bench::new();
    bench.write("t/d/file", vec![0; 1 << 20]);
    bench.write("t/d/text", "text");
    let old = bench.import("t");
    fs::remove_file(bench.path("t/d/file")).unwrap();
    fs::File::create(bench.path("t/d/file")).unwrap().set_len(1 << 20).unwrap();
    fs::copy(bench.path("t/d/text"), bench.path("t/d/copy")).unwrap();
    fs::rename(bench.path("t/d/copy"), bench.path("t/d/text")).unwrap();
    let new = bench.import("t");
    assert_ne!(old, new);
    assert_eq!(status(&bench.changes(old, new)), [""; 0]);
}

#[test]
fn a_renamed_and_edited_file_is_known_by_its_inode_and_a_copied_one_by_its_content() {
    let bench = Bench::new();
    bench.write("t/edited", "before");
    bench.write("t/copied", "the same bytes");
    let old = bench.import("t");
    fs::rename(bench.path("t/edited"), bench.path("t/elsewhere")).unwrap();
    fs::write(bench.path("t/elsewhere"), "after, and longer").unwrap();
    bench.write("t/sub/copied", "the same bytes");
    fs::remove_file(bench.path("t/copied")).unwrap();
    let new = bench.import("t");
    let expected = ["R edited -> elsewhere", "A sub/", "R copied -> sub/copied"];
    assert_eq!(status(&bench.changes(old, new)), expected);
}

#[test]
fn the_files_of_a_renamed_directory_are_renamed_one_by_one() {
    let bench = Bench::new();
    for index in 0..3 {
        bench.write(&format!("t/old/in/f{index}"), format!("{index}"));
    }
    let old = bench.import("t");
    fs::rename(bench.path("t/old"), bench.path("t/new")).unwrap();
    let new = bench.import("t");
    let found = bench.changes(old, new);
    let shown: Vec<Change> = visible(&found).into_iter().cloned().collect();
    let expected = ["R old/in/f0 -> new/in/f0", "R old/in/f1 -> new/in/f1", "R old/in/f2 -> new/in/f2"];
    assert_eq!(status(&shown), expected);
}

#[test]
fn a_new_inode_that_reuses_a_number_is_no_rename() {
    let bench = Bench::new();
    bench.write("t/a", "first");
    let old = bench.import("t");
    fs::remove_file(bench.path("t/a")).unwrap();
    // ext4 gives the freed number out at once.
    bench.write("t/b", "second");
    let new = bench.import("t");
    assert_eq!(status(&bench.changes(old, new)), ["D a", "A b"]);
}

#[test]
fn the_hash_of_a_change_set_knows_content_and_mode_but_not_times_and_numbers() {
    let bench = Bench::new();
    for tree in ["base", "one", "two", "three", "four"] {
        bench.write(&format!("{tree}/kept"), "kept");
    }
    let base = bench.import("base");
    bench.write("one/file", "content");
    bench.write("two/file", "content");
    bench.write("three/file", "Content");
    bench.write("four/file", "content");
    fs::set_permissions(bench.path("four/file"), fs::Permissions::from_mode(0o755)).unwrap();
    let hashes: Vec<_> = ["one", "two", "three", "four"].map(|tree| bench.hash(base, bench.import(tree))).into();
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
    assert_ne!(hashes[0], hashes[3]);
    assert_ne!(hashes[0], bench.hash(base, base));
}
