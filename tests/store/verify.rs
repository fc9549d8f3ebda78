//! Checking the store: every flipped bit is found, and so is what it touches.

use std::fs;

use aether::store::verify::Check;
use tempfile::tempdir;

use super::gc::scene::{files, import, read_tree};
use super::open;

const ALL: Check = Check { read_data: true, sample_percent: 100, seed: 0 };

#[test]
fn a_sound_store_is_found_sound() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let root = import(&store, &files(0..20));
    for check in [ALL, Check { read_data: false, ..ALL }, Check { sample_percent: 30, ..ALL }] {
        let found = store.verify(&[root.0], &check, &()).unwrap();
        assert!(found.broken.is_empty() && found.bad_packs.is_empty(), "{found:?}");
        assert_eq!(found.objects, store.stats().unwrap().objects);
        assert_eq!(found.read_objects == found.objects, check.read_data && check.sample_percent == 100);
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let dir = tempdir().unwrap();
    let tree = [("f".to_owned(), (1, 700)), ("g".to_owned(), (2, 300))].into();
    let root = import(&open(dir.path()), &tree);
    let pack = fs::read_dir(dir.path().join("packs")).unwrap().next().unwrap().unwrap().path();
    let sound = fs::read(&pack).unwrap();
    let mut broken = 0;
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&pack, &bytes).unwrap();
        let store = open(dir.path());
        let found = store.verify(&[root.0], &ALL, &()).unwrap();
        assert!(!found.bad_packs.is_empty(), "byte {at} of {}", sound.len());
        // What is not called broken can be read.
        let is_whole = read_tree(&store, root, &tree).is_ok();
        assert_eq!(is_whole, found.broken.is_empty(), "byte {at}: {found:?}");
        broken += usize::from(!is_whole);
    }
    assert!(broken > 0 && broken < sound.len());
    for len in 0..sound.len() {
        fs::write(&pack, &sound[..len]).unwrap();
        let store = open(dir.path());
        let found = store.verify(&[root.0], &ALL, &()).unwrap();
        assert!(!found.bad_packs.is_empty(), "cut at {len}");
        assert_eq!(read_tree(&store, root, &tree).is_ok(), found.broken.is_empty(), "cut at {len}");
    }
}

#[test]
fn a_missing_object_is_named_with_every_path_that_needs_it() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let mut tree = files(0..4);
    tree.insert("same".into(), tree["f2"]);
    let missing = import(&store, &[("f2".to_owned(), tree["f2"])].into());
    let first = fs::read_dir(dir.path().join("packs")).unwrap().next().unwrap().unwrap().path();
    let root = import(&store, &tree);
    fs::remove_file(first).unwrap();
    let found = open(dir.path()).verify(&[root.0], &ALL, &()).unwrap();
    assert_eq!(found.broken.len(), 1, "{found:?}");
    let mut paths = Vec::new();
    store.touched(root.0, &found.broken, &mut |place| {
        paths.push(String::from_utf8(place.path.as_bytes().to_vec()).unwrap());
        true
    });
    paths.sort();
    assert_eq!(paths, ["d/f2", "d/same"]);
    let found = open(dir.path()).verify(&[missing.0], &ALL, &()).unwrap();
    assert_eq!(found.broken.keys().collect::<Vec<_>>(), [&missing.0]);
}
