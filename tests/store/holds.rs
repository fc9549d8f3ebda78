//! Holds and generations, and readers whose packs went away.

use std::fs;

use tempfile::tempdir;

use super::{noise, open};

fn packs(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir.join("packs")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn holds_are_shared_and_name_their_generation() {
    let dir = tempdir().unwrap();
    let (one, two) = (open(dir.path()), open(dir.path()));
    let (first, second) = (one.hold().unwrap(), two.hold().unwrap());
    assert_eq!(first.generation(), second.generation());
    assert_eq!(first.generation(), one.generation().unwrap());
    fs::write(dir.path().join("generation"), "another").unwrap();
    assert_ne!(first.generation(), one.generation().unwrap());
    let third = two.hold().unwrap();
    assert_eq!(third.generation(), one.generation().unwrap());
    let names = fs::read_dir(dir.path().join("holds")).unwrap();
    assert_eq!(names.count(), 2, "a lock for each generation");
}

#[test]
fn a_writer_stores_again_what_only_an_index_that_lags_behind_knows() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let bytes = noise(1, 1000);
    let writer = store.hold().unwrap().writer().unwrap();
    let id = writer.put_chunk(&bytes).unwrap();
    writer.finish().unwrap();
    // The pack is taken away, and nobody has told the index.
    fs::remove_file(&packs(dir.path())[0]).unwrap();
    assert!(store.contains(id.0).unwrap());
    let writer = store.hold().unwrap().writer().unwrap();
    writer.put_chunk(&bytes).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!((written.objects, written.deduplicated), (1, 0));
    assert_eq!(&open(dir.path()).chunk(id).unwrap()[..], &bytes[..]);
    assert_eq!(&store.chunk(id).unwrap()[..], &bytes[..]);
}

#[test]
fn a_reader_finds_what_was_moved_to_another_pack_behind_its_back() {
    let dir = tempdir().unwrap();
    let (reader, other) = (open(dir.path()), open(dir.path()));
    let bytes: Vec<Vec<u8>> = (1..4).map(|seed| noise(seed, 200_000)).collect();
    let writer = reader.hold().unwrap().writer().unwrap();
    let ids: Vec<_> = bytes.iter().map(|bytes| writer.put_chunk(bytes).unwrap()).collect();
    writer.finish().unwrap();
    // It has the pack open, and one block in its cache.
    assert_eq!(&reader.chunk(ids[0]).unwrap()[..], &bytes[0][..]);
    let old = packs(dir.path()).remove(0);
    let elsewhere = tempdir().unwrap();
    let copy = open(elsewhere.path());
    let writer = copy.hold().unwrap().writer().unwrap();
    for bytes in bytes.iter().rev() {
        writer.put_chunk(bytes).unwrap();
    }
    writer.finish().unwrap();
    let new = packs(elsewhere.path()).remove(0);
    fs::copy(&new, dir.path().join("packs").join(new.file_name().unwrap())).unwrap();
    fs::OpenOptions::new().write(true).open(&old).unwrap().set_len(0).unwrap();
    fs::remove_file(&old).unwrap();
    for (id, bytes) in ids.iter().zip(&bytes) {
        assert_eq!(&reader.chunk(*id).unwrap()[..], &bytes[..]);
        assert_eq!(&other.chunk(*id).unwrap()[..], &bytes[..]);
    }
}

#[test]
fn a_reader_turns_to_an_index_that_another_process_made_anew() {
    let dir = tempdir().unwrap();
    let reader = open(dir.path());
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    let writer = open(dir.path()).hold().unwrap().writer().unwrap();
    let id = writer.put_chunk(b"later").unwrap();
    writer.finish().unwrap();
    assert_eq!(&reader.chunk(id).unwrap()[..], b"later");
    assert!(reader.contains(id.0).unwrap());
}

#[test]
fn a_condemned_pack_can_be_read_but_nothing_in_it_counts_as_stored() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let bytes = noise(1, 300_000);
    let writer = store.hold().unwrap().writer().unwrap();
    let id = writer.put_chunk(&bytes).unwrap();
    writer.finish().unwrap();
    let old = packs(dir.path()).remove(0);
    let name = format!("gone-{}", old.file_name().unwrap().to_str().unwrap());
    fs::rename(&old, old.with_file_name(name)).unwrap();
    assert_eq!(&open(dir.path()).chunk(id).unwrap()[..], &bytes[..]);
    let stored_again = || {
        let writer = store.hold().unwrap().writer().unwrap();
        writer.put_chunk(&bytes).unwrap();
        writer.finish().unwrap().objects
    };
    // As a collection does that still runs.
    let lock = fs::File::create(dir.path().join("gc.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(stored_again(), 1);
    drop(lock);
    assert_eq!(stored_again(), 0);
    assert!(
        packs(dir.path()).iter().all(|path| !path.to_string_lossy().contains("gone")),
        "it was killed, and forgiven"
    );
}
