//! Many threads, several stores, small caches.

use std::sync::Arc;

use aether::disk::RealDisk;
use aether::overlay::Lower;
use aether::store::{Store, StoreOptions, content};
use tempfile::tempdir;

use super::{noise, open};

#[test]
fn threads_share_a_writer_and_an_object_is_stored_once() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.hold().unwrap().writer().unwrap();
    let put = |from: u64| (0..400).map(|at| writer.put_chunk(&noise((from + at) % 500, 2_000)).unwrap()).collect();
    let ids: Vec<Vec<_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = [0, 100, 200, 300].map(|from| scope.spawn(move || put(from))).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let written = writer.finish().unwrap();
    assert_eq!((written.objects, written.deduplicated), (500, 1100));
    for (at, id) in ids[2].iter().enumerate() {
        assert!(store.chunk(*id).unwrap()[..] == noise((200 + at as u64) % 500, 2_000)[..]);
    }
}

#[test]
fn two_stores_write_at_once_and_see_each_other() {
    let dir = tempdir().unwrap();
    let stores = [open(dir.path()), open(dir.path())];
    let ids: Vec<Vec<_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| {
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    for round in 0..5 {
                        let writer = store.hold().unwrap().writer().unwrap();
                        ids.extend((0..20).map(|at| writer.put_chunk(&noise(round * 10 + at, 3_000)).unwrap()));
                        writer.finish().unwrap();
                    }
                    ids
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for store in &stores {
        assert!(ids.iter().flatten().all(|id| store.chunk(*id).is_ok()));
    }
}

#[test]
fn a_store_without_room_for_caches_still_reads() {
    let dir = tempdir().unwrap();
    let writer = open(dir.path()).hold().unwrap().writer().unwrap();
    let bytes = noise(3, 3_000_000);
    let made = content::put(&writer, &bytes).unwrap();
    writer.finish().unwrap();
    let store = Store::open(Arc::new(RealDisk), dir.path(), StoreOptions { cache_bytes: 0, threads_ahead: 2 }).unwrap();
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (store, bytes) = (&store, &bytes);
            scope.spawn(move || {
                let mut buf = vec![0; 700_000];
                store.read(&made, 3_000_000, part * 700_000, &mut buf).unwrap();
                assert!(buf == bytes[part as usize * 700_000..][..700_000]);
            });
        }
    });
}

#[test]
fn stores_that_are_opened_at_once_where_there_was_none_do_not_meet_a_lock() {
    for _ in 0..25 {
        let dir = tempdir().unwrap();
        let together = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            for at in 0..12 {
                let (dir, together) = (dir.path(), &together);
                scope.spawn(move || {
                    together.wait();
                    let writer = open(dir).hold().unwrap().writer().unwrap();
                    writer.put_chunk(&noise(at, 500)).unwrap();
                    writer.finish().unwrap();
                });
            }
        });
    }
}
