//! Content: cutting, manifests, ranges, holes.

use aether::model::{Content, Node, PartRef};
use aether::overlay::{Lower, LowerError, Whence};
use aether::store::content::{ContentWriter, OldCuts, Rewritten, WHOLE_BYTES, put, put_small, rewrite};
use aether::store::{Store, StoreError, Writer};
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

/// A file in memory that counts what is read of it.
struct Counted<'a> {
    bytes: &'a [u8],
    holes: &'a [bool],
    read: usize,
}

impl Rewritten for Counted<'_> {
    type Error = StoreError;

    fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn run(&mut self, offset: u64) -> Result<Option<std::ops::Range<u64>>, StoreError> {
        let at = offset as usize;
        let Some(start) = self.holes[at..].iter().position(|hole| !hole).map(|skip| at + skip) else { return Ok(None) };
        let end = self.holes[start..].iter().position(|hole| *hole).map_or(self.bytes.len(), |len| start + len);
        Ok(Some(start as u64..end as u64))
    }

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.read += buf.len();
        buf.copy_from_slice(&self.bytes[offset as usize..][..buf.len()]);
        Ok(())
    }
}

/// The ranges in which nothing differs, holes neither.
fn same(old: (&[u8], &[bool]), new: (&[u8], &[bool])) -> Vec<std::ops::Range<u64>> {
    let end = old.0.len().min(new.0.len());
    let mut same: Vec<std::ops::Range<u64>> = Vec::new();
    for at in (0..end).filter(|at| old.0[*at] == new.0[*at] && old.1[*at] == new.1[*at]) {
        match same.last_mut() {
            Some(last) if last.end == at as u64 => last.end += 1,
            _ => same.push(at as u64..at as u64 + 1),
        }
    }
    same
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_file_is_stored_as_if_it_was_cut_anew(
        before in segments(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 1..400_000usize, 0..4u8), 0..5),
        len in proptest::option::of(300_000..4_000_000usize),
    ) {
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        let hold = store.hold().unwrap();
        let writer = hold.writer().unwrap();
        let (old, old_holes) = model(&before);
        let content = store_all(&writer, &before, 1 << 20);
        writer.finish().unwrap();
        let (mut new, mut holes) = (old.clone(), old_holes.clone());
        let len = len.unwrap_or(old.len()).max(WHOLE_BYTES + 1);
        let grown = noise(77, len.saturating_sub(new.len()));
        new.extend(grown);
        new.truncate(len);
        holes.resize(len, false);
        for (spot, count, what) in edits {
            let start = spot.index(len);
            let end = (start + count).min(len);
            holes[start..end].fill(what == 0);
            let noise = noise(u64::from(what) * 31 + count as u64, end - start);
            if what == 0 { new[start..end].fill(0) } else { new[start..end].copy_from_slice(&noise) }
        }
        let unchanged = same((&old, &old_holes), (&new, &holes));
        let writer = hold.writer().unwrap();
        let cuts = OldCuts::of(&store, &content).unwrap();
        let mut file = Counted { bytes: &new, holes: &holes, read: 0 };
        let rewritten = rewrite(&writer, &cuts, &unchanged, &mut file).unwrap();
        let mut anew = Counted { bytes: &new, holes: &holes, read: 0 };
        prop_assert_eq!(rewritten, rewrite(&writer, &OldCuts::default(), &[], &mut anew).unwrap());
        let mut whole = ContentWriter::new(&writer);
        let mut at = 0;
        while at < len {
            let run = anew.run(at as u64).unwrap().unwrap_or(len as u64..len as u64);
            whole.hole(run.start - at as u64).unwrap();
            whole.data(&new[run.start as usize..run.end as usize]).unwrap();
            at = run.end as usize;
        }
        prop_assert_eq!(rewritten, whole.finish().unwrap());
        writer.finish().unwrap();
        prop_assert!(read(&store, &rewritten, len, 0, len) == new);
    }
}

#[test]
fn storing_a_large_file_again_reads_what_changed_and_what_is_cut_with_it() {
    const MIB: usize = 1 << 20;
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let hold = store.hold().unwrap();
    let writer = hold.writer().unwrap();
    let mut bytes = noise(5, 64 * MIB);
    let content = put(&writer, &bytes).unwrap();
    writer.finish().unwrap();
    let changed = 30 * MIB..30 * MIB + 300_000;
    bytes[changed.clone()].copy_from_slice(&noise(6, 300_000));
    let holes = vec![false; bytes.len()];
    let unchanged = [0..changed.start as u64, changed.end as u64..bytes.len() as u64];
    let writer = hold.writer().unwrap();
    let mut file = Counted { bytes: &bytes, holes: &holes, read: 0 };
    let again = rewrite(&writer, &OldCuts::of(&store, &content).unwrap(), &unchanged, &mut file).unwrap();
    assert!(file.read < 8 * MIB, "{} bytes were read", file.read);
    assert_eq!(again, put(&writer, &bytes).unwrap());
}
