//! What is on disk must not change without a new version.

use std::fs;

use aether::model::{Attr, Body, Content, Entry, Kind, Name, Node, PartRef, Timestamp};
use aether::overlay::Lower;
use aether::store::{content, tree};
use tempfile::tempdir;

use super::{noise, open};

const CHANGED: &str = "the on-disk format changed: that needs a new format version";

#[test]
fn the_bytes_of_a_pack_are_fixed() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    // Nothing here compresses, so that no version of zstd has a say.
    writer.put_chunk(&noise(1, 100)).unwrap();
    writer.put_chunk(&noise(2, 10)).unwrap();
    writer.finish().unwrap();
    let pack = fs::read_dir(dir.path().join("packs")).unwrap().next().unwrap().unwrap();
    let bytes = fs::read(pack.path()).unwrap();
    assert_eq!(&bytes[..16], b"aethpack\x01\0\0\0\0\0\0\0", "{CHANGED}");
    assert_eq!(&bytes[16..40], b"ABLK\x01\0\0\0\x02\0\0\0\x6e\0\0\0\x6e\0\0\0\0\0\0\0", "{CHANGED}");
    assert_eq!(bytes.len(), 16 + 32 + 2 * 36 + 110 + 16 + 24 + 2 * 36 + 32, "{CHANGED}");
    assert!(bytes.ends_with(b"aethpEND"), "{CHANGED}");
    let name = pack.file_name().into_string().unwrap();
    let hash = blake3::hash(&bytes).to_hex().to_string();
    assert_eq!(
        (hash.as_str(), name.as_str()),
        (
            "85ad1ec66f444699af86c1f864395bc9f05363ee32db394ba00d83a6495d6832",
            "0d932ce0a618cba2c07a65fc3edb8b05ea145bdee4b8428f374e386a8d9e78e4.pack"
        ),
        "{CHANGED}"
    );
}

#[test]
fn the_cut_points_of_content_are_fixed() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let Content::Manifest(id) = content::put(&writer, &noise(1, 3_000_000)).unwrap() else { panic!("one chunk") };
    writer.finish().unwrap();
    let Node::Manifest(manifest) = &*store.load(id).unwrap() else { panic!("no manifest") };
    assert!(manifest.parts.iter().all(|part| matches!(part.target, PartRef::Chunk(_))));
    let lens: Vec<u64> = manifest.parts.iter().map(|part| part.len_bytes).collect();
    assert_eq!(lens, [305972, 281984, 295699, 91705, 508430, 368297, 390560, 532937, 224416], "{CHANGED}");
}

#[test]
fn the_split_of_a_directory_and_its_hashes_are_fixed() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let entry = |number: u32| Entry {
        name: Name::new(format!("{number}").as_bytes()).unwrap(),
        attr: Attr::new(2, Kind::File, 0o644, 0, 0, Timestamp::default()),
        body: Body::File(Content::Hole),
        xattrs: None,
    };
    let writer = store.hold().unwrap().writer().unwrap();
    let made = tree::write_dir(&writer, (0..5_000).map(entry).collect()).unwrap();
    writer.finish().unwrap();
    let Node::Branch(branch) = &*store.load(made.node).unwrap() else { panic!("not split") };
    let runs: Vec<u64> = branch.children.iter().map(|child| child.entries).collect();
    assert_eq!(runs, [1391, 798, 819, 324, 1668], "{CHANGED}");
    assert_eq!(
        (made.node.0.to_hex().as_str(), made.content.0.to_hex().as_str()),
        (
            "25f18c930e161ab1965ade219c55e340bd9abe7524e0ee5829fbabcb25522634",
            "810c1da6c6ea2aac6181d1d7b79588328ea5c6681266b097f71cfd204666a407"
        ),
        "{CHANGED}"
    );
}
