//! What was stored is read back, once.

use aether::model::{Leaf, Node};
use aether::overlay::Lower;
use aether::store::content;
use tempfile::tempdir;

use super::{noise, open};

#[test]
fn a_chunk_is_read_back_here_and_by_another_store() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let bytes = noise(1, 1000);
    let id = writer.put_chunk(&bytes).unwrap();
    let node = writer.put_node(&Node::Leaf(Leaf::default())).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!((written.objects, written.deduplicated), (2, 0));
    for store in [&store, &open(dir.path())] {
        assert_eq!(&store.chunk(id).unwrap()[..], &bytes[..]);
        assert_eq!(*store.load(node).unwrap(), Node::Leaf(Leaf::default()));
    }
}

#[test]
fn equal_objects_are_stored_once() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..3 {
        let writer = store.hold().unwrap().writer().unwrap();
        for _ in 0..2 {
            writer.put_chunk(&noise(1, 5000)).unwrap();
        }
        let written = writer.finish().unwrap();
        assert_eq!(written.objects, u64::from(round == 0));
    }
    assert_eq!(store.stats().unwrap().packs, 1);
}

#[test]
fn a_small_writer_makes_one_pack() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    writer.put_chunk(b"content").unwrap();
    writer.put_node(&Node::Leaf(Leaf::default())).unwrap();
    writer.finish().unwrap();
    assert_eq!(store.stats().unwrap().packs, 1);
}

#[test]
fn large_content_is_read_back() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let bytes = noise(3, 5_000_000);
    let content = content::put(&writer, &bytes).unwrap();
    writer.finish().unwrap();
    let mut read = vec![0; bytes.len()];
    store.read(&content, bytes.len() as u64, 0, &mut read).unwrap();
    assert!(read == bytes);
}
