//! What a collection deletes and keeps.

use std::fs;
use std::time::Duration;

use aether::store::StoreError;
use aether::store::gc::{Options, Watch};
use tempfile::tempdir;

use super::scene::{collect, files, ids, import, pack_bytes, read_tree};
use crate::store::open;

#[test]
fn what_nobody_refers_to_is_deleted_and_the_disk_gets_its_bytes_back() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (files(0..20), files(100..120));
    let (kept, dead) = (import(&store, &a), import(&store, &b));
    let before = pack_bytes(dir.path());
    let done = collect(&store, &[kept]).unwrap();
    assert_eq!(before - pack_bytes(dir.path()), done.freed_bytes());
    assert!(done.freed_bytes() > before / 3, "{done:?}");
    assert_eq!((done.deleted_packs, done.moved_packs, done.pardoned_packs), (1, 0, 0));
    for store in [store, open(dir.path())] {
        read_tree(&store, kept, &a).unwrap();
        assert!(!store.contains(dead.0).unwrap());
        assert!(read_tree(&store, dead, &b).is_err());
    }
}

#[test]
fn what_is_alive_in_a_mostly_dead_pack_moves_and_an_open_reader_follows() {
    let dir = tempdir().unwrap();
    let (store, reader) = (open(dir.path()), open(dir.path()));
    let (all, few) = (files(0..30), files(3..6));
    let dead = import(&store, &all);
    let kept = import(&store, &few);
    read_tree(&reader, kept, &few).unwrap();
    let done = collect(&store, &[kept]).unwrap();
    assert!(done.moved_packs > 0 && done.freed_bytes() > 0, "{done:?}");
    read_tree(&reader, kept, &few).unwrap();
    read_tree(&store, kept, &few).unwrap();
    read_tree(&open(dir.path()), kept, &few).unwrap();
    assert!(read_tree(&open(dir.path()), dead, &all).is_err());
    assert_eq!(collect(&store, &[kept]).unwrap().deleted_packs, 0, "nothing is left to do");
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_be_freed() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (all, few) = (files(0..30), files(3..6));
    import(&store, &all);
    let kept = import(&store, &few);
    let before = pack_bytes(dir.path());
    let options = Options { dry_run: true, ..Options::default() };
    let would = store.collect(&mut |_| Ok::<_, StoreError>(ids(&[kept])), &options, &()).unwrap();
    assert_eq!(pack_bytes(dir.path()), before);
    let done = collect(&store, &[kept]).unwrap();
    assert!(would.freed_bytes().abs_diff(done.freed_bytes()) < before / 50, "{would:?} {done:?}");
    assert_eq!((would.deleted_packs, would.live_objects), (done.deleted_packs, done.live_objects));
}

#[test]
fn many_small_packs_become_one() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let trees: Vec<_> = (0..40).map(|seed| files(seed * 10..seed * 10 + 2)).collect();
    let roots: Vec<_> = trees.iter().map(|files| import(&store, files)).collect();
    assert_eq!(store.stats().unwrap().packs, 40);
    collect(&store, &roots).unwrap();
    assert!(store.stats().unwrap().packs <= 2);
    trees.iter().zip(&roots).for_each(|(files, root)| read_tree(&store, *root, files).unwrap());
}

#[test]
fn an_object_that_two_writers_stored_at_once_is_kept_once() {
    let dir = tempdir().unwrap();
    let (one, two) = (open(dir.path()), open(dir.path()));
    let same = files(0..10);
    let (first, second) = (one.hold().unwrap().writer().unwrap(), two.hold().unwrap().writer().unwrap());
    for (seed, len) in same.values() {
        first.put_chunk(&crate::store::noise(*seed, *len)).unwrap();
    }
    second.put_chunk(b"makes another pack of it").unwrap();
    for (seed, len) in same.values() {
        second.put_chunk(&crate::store::noise(*seed, *len)).unwrap();
    }
    first.finish().unwrap();
    second.finish().unwrap();
    let root = import(&one, &same);
    let before = pack_bytes(dir.path());
    collect(&one, &[root]).unwrap();
    assert!(pack_bytes(dir.path()) < before * 6 / 10);
    read_tree(&two, root, &same).unwrap();
    read_tree(&open(dir.path()), root, &same).unwrap();
}

#[test]
fn a_good_copy_is_not_given_up_for_a_rotten_one() {
    let dir = tempdir().unwrap();
    let (one, two) = (open(dir.path()), open(dir.path()));
    let bytes = crate::store::noise(7, 100_000);
    let (first, second) = (one.hold().unwrap().writer().unwrap(), two.hold().unwrap().writer().unwrap());
    let id = first.put_chunk(&bytes).unwrap();
    second.put_chunk(&bytes).unwrap();
    second.put_chunk(&crate::store::noise(8, 5_000)).unwrap();
    first.finish().unwrap();
    second.finish().unwrap();
    for rotten in fs::read_dir(dir.path().join("packs")).unwrap().map(|entry| entry.unwrap().path()) {
        let elsewhere = tempdir().unwrap();
        fs::create_dir(elsewhere.path().join("packs")).unwrap();
        for pack in fs::read_dir(dir.path().join("packs")).unwrap().map(|entry| entry.unwrap().path()) {
            let mut content = fs::read(&pack).unwrap();
            if pack == rotten {
                content[1000] ^= 1;
            }
            fs::write(elsewhere.path().join("packs").join(pack.file_name().unwrap()), content).unwrap();
        }
        let store = open(elsewhere.path());
        let root = import(&store, &[("f".to_owned(), (7, 100_000))].into());
        let _ = collect(&store, &[root]);
        assert_eq!(&open(elsewhere.path()).chunk(id).unwrap()[..], &bytes[..]);
    }
}

#[test]
fn nothing_is_deleted_when_it_cannot_be_known_what_is_alive() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let kept = import(&store, &files(0..5));
    import(&store, &files(10..15));
    let before = pack_bytes(dir.path());
    let missing = aether::model::RootId(aether::model::ObjectId([7; 32]));
    assert!(collect(&store, &[kept, missing]).unwrap_err().is_damage());
    assert_eq!(pack_bytes(dir.path()), before);
}

#[test]
fn of_two_collections_the_second_says_so() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let kept = import(&store, &files(0..5));
    let mut asked = 0;
    let mut roots = |_| {
        asked += 1;
        if asked == 1 {
            assert!(matches!(collect(&open(dir.path()), &[kept]), Err(StoreError::InCollection)));
        }
        Ok::<_, StoreError>(ids(&[kept]))
    };
    store.collect(&mut roots, &Options::default(), &()).unwrap();
    let checking = store.no_collection().unwrap();
    let _also = open(dir.path()).no_collection().unwrap();
    assert!(matches!(collect(&store, &[kept]), Err(StoreError::InCollection)));
    drop((checking, _also));
    collect(&store, &[kept]).unwrap();
}

#[test]
fn a_holder_is_waited_for_and_what_it_found_is_kept() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (files(0..5), files(10..15));
    let kept = import(&store, &a);
    // A tree that no row refers to yet, held by whoever stored it.
    let hold = store.hold().unwrap();
    let later = super::scene::store_tree(&hold, &b).unwrap();
    let options = Options { wait: Duration::from_millis(20), ..Options::default() };
    let result = store.collect(&mut |_| Ok::<_, StoreError>(ids(&[kept])), &options, &());
    assert!(matches!(result, Err(StoreError::Held)), "{result:?}");
    read_tree(&open(dir.path()), later, &b).unwrap();

    struct Releases(std::sync::Mutex<Option<aether::store::Hold>>);
    impl Watch for Releases {
        fn waiting(&self) {
            drop(self.0.lock().unwrap().take());
        }
    }
    // Its row is made while the collection waits for it.
    let releases = Releases(std::sync::Mutex::new(Some(hold)));
    let roots = || match releases.0.lock().unwrap().is_some() {
        true => vec![kept],
        false => vec![kept, later],
    };
    let done = store.collect(&mut |_| Ok::<_, StoreError>(ids(&roots())), &Options::default(), &releases).unwrap();
    assert_eq!(done.pardoned_packs, 1, "{done:?}");
    read_tree(&open(dir.path()), later, &b).unwrap();
    read_tree(&open(dir.path()), kept, &a).unwrap();
    collect(&store, &[kept]).unwrap();
    assert!(read_tree(&open(dir.path()), later, &b).is_err());
}

#[test]
fn what_is_condemned_is_stored_again_by_whoever_needs_it() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (files(0..5), files(10..15));
    let (kept, dead) = (import(&store, &a), import(&store, &b));
    let mut asked = 0;
    let mut roots = |_| {
        asked += 1;
        // The second time everything dead is condemned, and someone stores the same again.
        if asked == 2 {
            assert_eq!(import(&open(dir.path()), &b), dead);
            return Ok::<_, StoreError>(ids(&[kept]));
        }
        Ok(ids(&[kept]))
    };
    store.collect(&mut roots, &Options::default(), &()).unwrap();
    assert_eq!(asked, 2);
    read_tree(&open(dir.path()), dead, &b).unwrap();
    read_tree(&store, dead, &b).unwrap();
}
