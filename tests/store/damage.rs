//! Damaged, cut off and missing packs, and a useless index.

use std::fs;
use std::path::{Path, PathBuf};

use aether::model::{ChunkId, Leaf, Node, NodeId};
use aether::overlay::{Lower, LowerError};
use aether::store::Store;
use tempfile::{TempDir, tempdir};

use super::{noise, open};

/// A store with one small pack of several blocks, and what is in it.
struct Sample {
    dir: TempDir,
    chunks: Vec<(ChunkId, Vec<u8>)>,
    node: NodeId,
    pack: PathBuf,
    bytes: Vec<u8>,
}

impl Sample {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        let writer = store.hold().unwrap().writer().unwrap();
        // Chunks this long have blocks of their own, and these compress to a few bytes.
        let mut contents: Vec<Vec<u8>> = (1..4).map(|byte| vec![byte; 150_000]).collect();
        contents.extend([b"small".to_vec(), Vec::new(), noise(1, 60)]);
        let chunks = contents.into_iter().map(|bytes| (writer.put_chunk(&bytes).unwrap(), bytes)).collect();
        let node = writer.put_node(&Node::Leaf(Leaf::default())).unwrap();
        writer.finish().unwrap();
        let pack = packs(dir.path()).pop().unwrap();
        let bytes = fs::read(&pack).unwrap();
        Self { dir, chunks, node, pack, bytes }
    }

    /// Reads everything; what comes must be right. Returns how many objects were damaged.
    fn damaged(&self, store: &Store) -> usize {
        let mut damaged = 0;
        for (id, bytes) in &self.chunks {
            match store.chunk(*id) {
                Ok(chunk) => assert!(chunk[..] == bytes[..], "wrong bytes"),
                Err(LowerError::Damaged { id: named, .. }) => {
                    assert_eq!(named, id.0);
                    damaged += 1;
                }
                Err(LowerError::Io(error)) => panic!("{error}"),
            }
        }
        match store.load(self.node) {
            Ok(node) => assert_eq!(*node, Node::Leaf(Leaf::default())),
            Err(LowerError::Damaged { .. }) => damaged += 1,
            Err(LowerError::Io(error)) => panic!("{error}"),
        }
        damaged
    }

    fn forget_index(&self) {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let _ = fs::remove_file(self.dir.path().join(name));
        }
    }
}

fn packs(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir.join("packs")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_flipped_bit_gives_damage_or_the_right_bytes_and_spares_other_blocks() {
    let sample = Sample::new();
    let mut hits = 0;
    for with_index in [true, false] {
        for at in 0..sample.bytes.len() {
            let mut bytes = sample.bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&sample.pack, &bytes).unwrap();
            if !with_index {
                sample.forget_index();
            }
            let damaged = sample.damaged(&open(sample.dir.path()));
            assert!(damaged <= 3, "byte {at} damaged {damaged} objects");
            hits += usize::from(damaged > 0);
        }
        fs::write(&sample.pack, &sample.bytes).unwrap();
        sample.forget_index();
        assert_eq!(sample.damaged(&open(sample.dir.path())), 0);
    }
    assert!(hits > 0, "no bit mattered");
}

#[test]
fn a_pack_cut_anywhere_gives_what_is_left_of_it() {
    let sample = Sample::new();
    let mut last = usize::MAX;
    for len in 0..sample.bytes.len() {
        fs::write(&sample.pack, &sample.bytes[..len]).unwrap();
        if len % 2 == 0 {
            sample.forget_index();
        }
        let damaged = sample.damaged(&open(sample.dir.path()));
        if len % 2 == 0 {
            assert!(damaged <= last, "more lost at length {len}");
            last = damaged;
        }
    }
    assert_eq!(last, 0, "a pack without its trailer's last byte has all its blocks");
}

#[test]
fn an_abandoned_pack_is_finished_up_to_its_last_whole_block() {
    let sample = Sample::new();
    let total = sample.chunks.len() + 1;
    let mut kept_before = 0;
    for len in 0..=sample.bytes.len() {
        let dir = tempdir().unwrap();
        fs::create_dir_all(dir.path().join("packs")).unwrap();
        let left = dir.path().join("packs/tmp-0123456789abcdef.pack");
        fs::write(&left, &sample.bytes[..len]).unwrap();
        let store = open(dir.path());
        let writer = store.hold().unwrap().writer().unwrap();
        assert!(!left.exists(), "the pack cut at {len} is left lying about");
        let kept = total - sample.damaged(&store);
        assert!(kept >= kept_before, "fewer objects at length {len}");
        kept_before = kept;
        for (_, bytes) in &sample.chunks {
            writer.put_chunk(bytes).unwrap();
        }
        let written = writer.finish().unwrap();
        assert!(written.deduplicated as usize + 1 >= kept, "what was saved was stored again");
        assert_eq!(sample.damaged(&open(dir.path())), usize::from(kept < total));
    }
    assert_eq!(kept_before, total);
}

#[test]
fn a_pack_that_is_being_written_is_left_alone() {
    let dir = tempdir().unwrap();
    let (one, two) = (open(dir.path()), open(dir.path()));
    let first = one.hold().unwrap().writer().unwrap();
    let id = first.put_chunk(&noise(1, 300_000)).unwrap();
    let second = two.hold().unwrap().writer().unwrap();
    assert_eq!(packs(dir.path()).len(), 1);
    second.put_chunk(&noise(2, 300_000)).unwrap();
    second.finish().unwrap();
    first.finish().unwrap();
    assert_eq!(&two.chunk(id).unwrap()[..], &noise(1, 300_000)[..]);
}

#[test]
fn a_dropped_writer_leaves_its_work_to_the_next() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    writer.put_chunk(&noise(1, 1000)).unwrap();
    drop(writer);
    let writer = store.hold().unwrap().writer().unwrap();
    writer.put_chunk(&noise(1, 1000)).unwrap();
    assert_eq!(writer.finish().unwrap().deduplicated, 1);
}

#[test]
fn an_index_of_garbage_is_replaced() {
    let sample = Sample::new();
    let index = sample.dir.path().join("index.db");
    for garbage in [Vec::new(), noise(7, 10_000), b"SQLite format 3\0 and so on".to_vec()] {
        sample.forget_index();
        fs::write(&index, garbage).unwrap();
        let store = open(sample.dir.path());
        assert_eq!(sample.damaged(&store), 0);
        assert_eq!(store.stats().unwrap().objects, 7);
    }
}

#[test]
fn an_index_damaged_anywhere_costs_no_object() {
    let sample = Sample::new();
    let index = sample.dir.path().join("index.db");
    drop(open(sample.dir.path()));
    let sound = fs::read(&index).unwrap();
    for at in (0..sound.len()).filter(|at| sound[*at] != 0 || at % 509 == 0) {
        for name in ["index.db-wal", "index.db-shm"] {
            let _ = fs::remove_file(sample.dir.path().join(name));
        }
        let mut bytes = sound.clone();
        bytes[at] ^= 0x55;
        fs::write(&index, &bytes).unwrap();
        assert_eq!(sample.damaged(&open(sample.dir.path())), 0, "byte {at}");
    }
}

#[test]
fn a_missing_pack_is_named_as_damage_and_may_come_back() {
    let sample = Sample::new();
    let store = open(sample.dir.path());
    fs::remove_file(&sample.pack).unwrap();
    assert_eq!(sample.damaged(&store), 7);
    let again = open(sample.dir.path());
    assert_eq!((sample.damaged(&again), again.stats().unwrap().packs), (7, 0));
    fs::write(&sample.pack, &sample.bytes).unwrap();
    assert_eq!((sample.damaged(&store), sample.damaged(&again)), (0, 0));
}

#[test]
fn a_second_copy_serves_when_the_first_is_damaged() {
    let sample = Sample::new();
    let dir = tempdir().unwrap();
    let (one, two) = (open(dir.path()), open(dir.path()));
    let (first, second) = (one.hold().unwrap().writer().unwrap(), two.hold().unwrap().writer().unwrap());
    let bytes = noise(5, 500);
    let id = first.put_chunk(&bytes).unwrap();
    second.put_chunk(&bytes).unwrap();
    second.put_chunk(b"other").unwrap();
    first.finish().unwrap();
    second.finish().unwrap();
    for damaged in packs(dir.path()) {
        let sound = fs::read(&damaged).unwrap();
        let mut rotten = sound.clone();
        for byte in &mut rotten {
            *byte ^= 0xff;
        }
        fs::write(&damaged, rotten).unwrap();
        assert_eq!(&open(dir.path()).chunk(id).unwrap()[..], &bytes[..]);
        fs::write(&damaged, sound).unwrap();
    }
    drop(sample);
}

#[test]
fn a_pack_of_a_newer_version_is_not_touched() {
    let dir = tempdir().unwrap();
    let packs = dir.path().join("packs");
    fs::create_dir_all(&packs).unwrap();
    let newer = [&b"aethpack"[..], &2u32.to_le_bytes(), &[0; 100]].concat();
    fs::write(packs.join("tmp-00.pack"), &newer).unwrap();
    fs::write(packs.join(format!("{}.pack", "0".repeat(64))), &newer).unwrap();
    let store = open(dir.path());
    let id = store.hold().unwrap().writer().unwrap().put_chunk(b"a").unwrap();
    assert_eq!(&store.chunk(id).unwrap()[..], b"a");
    let missing = ChunkId(aether::model::ObjectId([7; 32]));
    let error = store.chunk(missing).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
    assert_eq!(fs::read(packs.join("tmp-00.pack")).unwrap(), newer);
}
