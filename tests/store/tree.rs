//! Directories and whole trees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aether::model::{
    Attr, Body, BytePath, ChunkId, Content, ContentHash, DirRef, Entry, Kind, Leaf, Name, Node, NodeId, ObjectId,
    ObjectKind, Root, RootId, Timestamp, Totals,
};
use aether::overlay::{Lower, LowerError};
use aether::store::tree::{self, Step};
use aether::store::{Store, StoreError, Writer};
use proptest::prelude::*;
use tempfile::tempdir;

use super::open;

fn file(name: &[u8], content: &[u8]) -> Entry {
    let mut attr = Attr::new(7, Kind::File, 0o644, 1000, 1000, Timestamp::new(5, 6));
    attr.size = content.len() as u64;
    let content = Content::Chunk(ChunkId(ObjectId::of(ObjectKind::Chunk, content)));
    Entry { name: Name::new(name).unwrap(), attr, body: Body::File(content), xattrs: None }
}

fn dir_entry(name: &[u8], dir: DirRef) -> Entry {
    let attr = Attr::new(8, Kind::Dir, 0o755, 0, 0, Timestamp::new(5, 6));
    Entry { name: Name::new(name).unwrap(), attr, body: Body::Dir(dir), xattrs: None }
}

fn many(numbers: impl IntoIterator<Item = u32>) -> Vec<Entry> {
    numbers.into_iter().map(|number| file(format!("file-{number}.rs").as_bytes(), b"x")).collect()
}

fn write(store: &Store, entries: Vec<Entry>) -> (DirRef, u64) {
    let writer = store.hold().unwrap().writer().unwrap();
    let dir = tree::write_dir(&writer, entries).unwrap();
    (dir, writer.finish().unwrap().objects)
}

fn names(store: &Store, dir: DirRef) -> Vec<Vec<u8>> {
    tree::entries(store, dir).map(|entry| entry.unwrap().name.to_vec()).collect()
}

fn content(entry: Entry) -> ContentHash {
    tree::content_hash(&[entry])
}

#[test]
fn the_content_hash_is_blind_to_all_but_names_kinds_modes_and_contents() {
    let base = content(file(b"a", b"x"));
    let blind: [fn(&mut Entry); 9] = [
        |entry| entry.attr.ino = 99,
        |entry| entry.attr.nlink = 5,
        |entry| entry.attr.uid = 0,
        |entry| entry.attr.gid = 0,
        |entry| entry.attr.atime.secs += 1,
        |entry| entry.attr.mtime.nanos += 1,
        |entry| entry.attr.ctime.secs += 1,
        |entry| entry.attr.btime.secs += 1,
        |entry| entry.xattrs = Some(Arc::new(BTreeMap::from([(b"user.a"[..].into(), b"b"[..].into())]))),
    ];
    for (at, change) in blind.iter().enumerate() {
        let mut entry = file(b"a", b"x");
        change(&mut entry);
        assert_eq!(content(entry), base, "change {at}");
    }
    let seen: [fn(&mut Entry); 5] = [
        |entry| entry.name = Name::new(b"b").unwrap(),
        |entry| entry.attr.perm = 0o755,
        |entry| entry.attr.size = 2,
        |entry| entry.body = Body::File(Content::Hole),
        |entry| (entry.attr.kind, entry.body) = (Kind::Fifo, Body::Special),
    ];
    for (at, change) in seen.iter().enumerate() {
        let mut entry = file(b"a", b"x");
        change(&mut entry);
        assert_ne!(content(entry), base, "change {at}");
    }
}

#[test]
fn the_content_hash_sees_targets_devices_and_what_is_below() {
    let link = |target: &[u8], perm| {
        let mut entry = file(b"a", b"x");
        (entry.attr.kind, entry.attr.perm, entry.body) = (Kind::Symlink, perm, Body::Symlink(target.into()));
        content(entry)
    };
    assert_ne!(link(b"one", 0o777), link(b"two", 0o777));
    assert_eq!(link(b"one", 0o777), link(b"one", 0));
    let device = |rdev| {
        let mut entry = file(b"a", b"x");
        (entry.attr.kind, entry.attr.rdev, entry.body) = (Kind::CharDevice, rdev, Body::Special);
        content(entry)
    };
    assert_ne!(device(1), device(2));
    let below = |node, hash| {
        let id = |byte| ObjectId([byte; 32]);
        content(dir_entry(b"a", DirRef { node: NodeId(id(node)), content: ContentHash(id(hash)) }))
    };
    assert_eq!(below(1, 1), below(2, 1));
    assert_ne!(below(1, 1), below(1, 2));
}

#[test]
fn order_does_not_matter_and_a_name_can_be_there_once() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (one, _) = write(&store, many(0..50));
    let (two, objects) = write(&store, many((0..50).rev()));
    assert_eq!((one, objects), (two, 0));
    let twice = tree::write_dir(&store.hold().unwrap().writer().unwrap(), many([1, 1]));
    assert!(matches!(twice, Err(StoreError::DuplicateName(_))));
}

#[test]
fn a_large_directory_is_split_and_one_more_entry_rewrites_little() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (base, objects) = write(&store, many(0..30_000));
    assert!(objects > 10, "not split");
    assert!(matches!(&*store.load(base.node).unwrap(), Node::Branch(branch) if branch.entries() == 30_000));
    let sorted: BTreeSet<Vec<u8>> = many(0..30_000).into_iter().map(|entry| entry.name.to_vec()).collect();
    assert!(names(&store, base).into_iter().eq(sorted));
    let (more, objects) = write(&store, many(0..30_001));
    assert_ne!((base.node, base.content), (more.node, more.content));
    assert!(objects <= 4, "one more entry made {objects} nodes");
    assert_eq!(write(&store, many(0..30_000)), (base, 0));
}

#[test]
fn every_entry_is_found_by_name_and_no_other() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    for count in [0, 1, 2_048, 2_049, 9_000] {
        let (made, _) = write(&store, many(0..count));
        for number in (0..count).step_by(7) {
            let name = format!("file-{number}.rs");
            let found = tree::lookup(&store, made, name.as_bytes()).unwrap().unwrap();
            assert_eq!(found.name.as_bytes(), name.as_bytes());
        }
        for name in [&b"a"[..], b"file-", b"file-5.rs0", b"zzz", b"\xff"] {
            assert!(tree::lookup(&store, made, name).unwrap().is_none());
        }
        assert_eq!(names(&store, made).len(), count as usize);
    }
}

#[test]
fn entries_with_much_to_carry_are_split_sooner() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let mut entries = many(0..300);
    for (at, entry) in entries.iter_mut().enumerate() {
        let value: Box<[u8]> = vec![at as u8; 20_000].into();
        entry.xattrs = Some(Arc::new(BTreeMap::from([(b"user.big"[..].into(), value)])));
    }
    let (made, objects) = write(&store, entries);
    assert!(objects >= 6, "{objects}");
    assert_eq!(names(&store, made).len(), 300);
}

fn sample_tree(writer: &Writer) -> RootId {
    let inner = tree::write_dir(writer, vec![file(b"deep", b"3")]).unwrap();
    let sub = tree::write_dir(writer, vec![file(b"b", b"2"), dir_entry(b"inner", inner)]).unwrap();
    let top = tree::write_dir(writer, vec![dir_entry(b"sub", sub), file(b"a", b"1"), file(b"z", b"4")]).unwrap();
    let attr = Attr::new(1, Kind::Dir, 0o755, 0, 0, Timestamp::default());
    writer.put_root(&Root { attr, dir: top, xattrs: None, next_ino: 9, totals: Totals::default() }).unwrap()
}

#[test]
fn a_walk_visits_every_path_in_order_and_steps_over_what_it_is_told() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let root = sample_tree(&writer);
    writer.finish().unwrap();
    let walk = |over: &[u8]| {
        let mut paths = Vec::new();
        tree::walk::<LowerError>(&store, root, |path, entry| {
            paths.push(String::from_utf8(path.as_bytes().to_vec()).unwrap());
            Ok(if entry.name.as_bytes() == over { Step::Over } else { Step::Into })
        })
        .unwrap();
        paths.join(" ")
    };
    assert_eq!(walk(b""), " a sub sub/b sub/inner sub/inner/deep z");
    assert_eq!(walk(b"sub"), " a sub z");
    let find = |path: &[u8]| tree::find_path(&store, root, &BytePath::parse(path).unwrap()).unwrap();
    assert_eq!(find(b"sub/inner/deep").unwrap(), file(b"deep", b"3"));
    assert_eq!(find(b"").unwrap().attr.ino, 1);
    assert!(find(b"a/b").is_none() && find(b"sub/none").is_none());
    assert_eq!(store.root(root).unwrap().next_ino, 9);
}

#[test]
fn a_node_of_another_form_is_damage() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let root = sample_tree(&writer);
    let leaf = writer.put_node(&Node::Leaf(Leaf::default())).unwrap();
    writer.finish().unwrap();
    assert!(matches!(store.root(RootId(leaf.0)), Err(LowerError::Damaged { .. })));
    let wrong = DirRef { node: root.into(), content: ContentHash(root.0) };
    assert!(matches!(tree::lookup(&store, wrong, b"a"), Err(LowerError::Damaged { .. })));
    let mut entries = tree::entries(&store, wrong);
    assert!(matches!(entries.next(), Some(Err(LowerError::Damaged { .. }))));
    assert!(entries.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_names_come_back_sorted(
        names_in in proptest::collection::btree_set(proptest::collection::vec(1..=255u8, 1..40), 0..60),
    ) {
        let valid: Vec<Vec<u8>> = names_in.into_iter().filter(|name| Name::new(name).is_ok()).collect();
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        let (made, _) = write(&store, valid.iter().rev().map(|name| file(name, name)).collect());
        prop_assert_eq!(names(&store, made), valid);
    }
}
