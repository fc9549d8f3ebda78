//! Content: cutting, manifests, ranges, holes.

use aether::model::{Content, Node, PartRef};
use aether::overlay::{Lower, LowerError, Whence};
use aether::store::content::{ContentWriter, WHOLE_BYTES, put, put_small};
use aether::store::{Store, Writer};
use proptest::prelude::*;
use tempfile::tempdir;

use super::{noise, open};

#[derive(Clone, Debug)]
enum Segment {
    Data { seed: u64, len: usize },
    Hole(usize),
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let len = prop_oneof![0..5usize, 1..10_000usize, 200_000..600_000usize];
    let data = (0..4u64, len.clone()).prop_map(|(seed, len)| Segment::Data { seed, len });
    proptest::collection::vec(prop_oneof![2 => data, 1 => len.prop_map(Segment::Hole)], 0..8)
}

/// The bytes of the segments, and for each whether it is in a hole.
fn model(segments: &[Segment]) -> (Vec<u8>, Vec<bool>) {
    let (mut bytes, mut holes) = (Vec::new(), Vec::new());
    for segment in segments {
        match segment {
            Segment::Data { seed, len } => bytes.extend(noise(*seed, *len)),
            Segment::Hole(len) => bytes.resize(bytes.len() + len, 0),
        }
        holes.resize(bytes.len(), matches!(segment, Segment::Hole(_)));
    }
    (bytes, holes)
}

/// Stores the segments, handing over data in pieces of at most `piece` bytes and holes in two.
fn store_all(writer: &Writer, segments: &[Segment], piece: usize) -> Content {
    let mut content = ContentWriter::new(writer);
    for segment in segments {
        match segment {
            Segment::Data { seed, len } => {
                noise(*seed, *len).chunks(piece).for_each(|bytes| content.data(bytes).unwrap());
            }
            Segment::Hole(len) => {
                content.hole(*len as u64 / 2).unwrap();
                content.hole((len - len / 2) as u64).unwrap();
            }
        }
    }
    content.finish().unwrap()
}

fn read(store: &Store, content: &Content, file_len: usize, from: usize, len: usize) -> Vec<u8> {
    let mut buf = vec![0xaa; len];
    store.read(content, file_len as u64, from as u64, &mut buf).unwrap();
    buf
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_range_is_read_as_it_was_written(
        segments in segments(),
        piece in 1000..3_000_000usize,
        spots in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 12),
    ) {
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        let writer = store.hold().unwrap().writer().unwrap();
        let content = store_all(&writer, &segments, piece);
        prop_assert_eq!(content, store_all(&writer, &segments, 1 << 20), "the pieces must not matter");
        writer.finish().unwrap();
        let (bytes, holes) = model(&segments);
        prop_assert!(read(&store, &content, bytes.len(), 0, bytes.len()) == bytes);
        for (one, two) in spots.iter().filter(|_| !bytes.is_empty()) {
            let (one, two) = (one.index(bytes.len()), two.index(bytes.len()));
            let (from, to) = (one.min(two), one.max(two) + 1);
            prop_assert!(read(&store, &content, bytes.len(), from, to - from) == bytes[from..to]);
            for (what, is_hole) in [(Whence::Data, false), (Whence::Hole, true)] {
                let expected = holes[from..].iter().position(|hole| *hole == is_hole).map(|at| (from + at) as u64);
                prop_assert_eq!(store.seek(&content, bytes.len() as u64, from as u64, what).unwrap(), expected);
            }
        }
    }
}

#[test]
fn small_files_are_one_chunk_and_empty_ones_none() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    assert_eq!(put_small(&writer, b"").unwrap(), Content::Hole);
    let bytes = noise(1, WHOLE_BYTES + 1);
    assert!(matches!(put(&writer, &bytes[..WHOLE_BYTES]).unwrap(), Content::Chunk(_)));
    let mut content = ContentWriter::new(&writer);
    content.hole(1 << 40).unwrap();
    assert_eq!(content.finish().unwrap(), Content::Hole);
}

#[test]
fn the_same_bytes_give_the_same_content_however_they_come() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    for len in [WHOLE_BYTES, WHOLE_BYTES + 1, 1 << 20, 2 << 20, (2 << 20) + 1, 7_654_321] {
        let bytes = noise(9, len);
        let mut content = ContentWriter::new(&writer);
        bytes.chunks(77_777).for_each(|piece| content.data(piece).unwrap());
        assert_eq!(content.finish().unwrap(), put(&writer, &bytes).unwrap(), "{len} bytes");
    }
}

#[test]
fn an_edit_stores_little_again() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let mut bytes = noise(1, 20 << 20);
    put(&writer, &bytes).unwrap();
    writer.finish().unwrap();
    bytes.splice((10 << 20)..(10 << 20), *b"inserted");
    let writer = store.hold().unwrap().writer().unwrap();
    put(&writer, &bytes).unwrap();
    let written = writer.finish().unwrap();
    assert!(written.raw_bytes < 3 << 20, "{written:?}");
}

/// A file of many short pieces of data between holes.
fn sparse(writer: &Writer, pieces: u64, changed: Option<u64>) -> Content {
    let mut content = ContentWriter::new(writer);
    for piece in 0..pieces {
        let number = if changed == Some(piece) { u64::MAX } else { piece };
        content.data(&number.to_le_bytes()).unwrap();
        content.hole(1 << 20).unwrap();
    }
    content.finish().unwrap()
}

#[test]
fn a_manifest_of_many_parts_has_levels_and_an_edit_rewrites_one_of_each() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let content = sparse(&writer, 10_000, None);
    writer.finish().unwrap();
    let Content::Sparse { manifest: id, data_bytes: 80_000 } = content else { panic!("{content:?}") };
    let Node::Manifest(top) = &*store.load(id).unwrap() else { panic!("no manifest") };
    assert!(top.parts.iter().all(|part| matches!(part.target, PartRef::Manifest(_))));
    let step = (1 << 20) + 8;
    let len = 10_000 * step;
    for piece in [0, 1, 255, 256, 4095, 4096, 9_999] {
        let mut buf = [0xaa; 12];
        store.read(&content, len, piece * step, &mut buf).unwrap();
        assert_eq!(buf, *[&piece.to_le_bytes()[..], &[0; 4]].concat());
        let data = store.seek(&content, len, piece * step + 8, Whence::Data).unwrap();
        assert_eq!(data, Some((piece + 1) * step).filter(|at| *at < len));
        assert_eq!(store.seek(&content, len, piece * step, Whence::Hole).unwrap(), Some(piece * step + 8));
    }
    let writer = store.hold().unwrap().writer().unwrap();
    assert_ne!(sparse(&writer, 10_000, Some(5_000)), content);
    let written = writer.finish().unwrap();
    assert!(written.objects <= 4, "{written:?}");
}

#[test]
fn content_shorter_than_its_file_is_damage() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let whole = put(&writer, b"abc").unwrap();
    let parts = put(&writer, &noise(1, 2 << 20)).unwrap();
    let leaf = writer.put_node(&Node::Leaf(aether::model::Leaf::default())).unwrap();
    writer.finish().unwrap();
    for (content, offset) in [(whole, 2), (parts, (2 << 20) - 1), (Content::Manifest(leaf), 0)] {
        let read = store.read(&content, 4 << 20, offset, &mut [0; 2]);
        assert!(matches!(read, Err(LowerError::Damaged { .. })), "{read:?}");
    }
}
