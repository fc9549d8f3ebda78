//! The space of the store: what is freed, and when.

use std::fs;
use std::path::Path;

use super::World;

/// Bytes of all files below a directory.
fn disk_usage(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.metadata().unwrap() {
            found if found.is_dir() => disk_usage(&entry.path()),
            found => found.len(),
        })
        .sum()
}

/// Bytes that do not compress.
fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn a_deleted_source_is_kept_for_its_grace_and_then_given_back_to_the_disk() {
    let world = World::with_web();
    fs::create_dir(world.path("big")).unwrap();
    fs::write(world.path("big/data"), noise(1, 3 << 20)).unwrap();
    world.ok(["source", "create", "big", "big"]);
    world.ok(["source", "delete", "big"]);
    let packs = world.data().join("objects/packs");
    let before = disk_usage(&packs);
    assert_eq!(world.json(["store", "gc"])[0]["deleted_packs"], 0);
    assert_eq!(disk_usage(&packs), before, "it can be undone");

    let would = &world.json(["store", "gc", "--dry-run", "--trash-days", "0"])[0];
    assert!(would["freed_bytes"].as_u64().unwrap() > 3 << 20, "{would}");
    assert_eq!(would["purged"][0]["name"], "big");
    assert_eq!(disk_usage(&packs), before);
    let done = &world.json(["store", "gc", "--trash-days", "0"])[0];
    assert_eq!(done["freed_bytes"], would["freed_bytes"]);
    assert_eq!(before - disk_usage(&packs), done["freed_bytes"].as_u64().unwrap());
    let undone = world.run(["undo"]);
    assert_eq!(undone.code, 1, "{undone:?}");
    // The others are as they were.
    world.ok(["source", "refresh", "web"]);
    assert_eq!(world.json(["session", "list"]).len(), 1);
    assert_eq!(world.json(["store", "gc"])[0]["freed_bytes"], 0);
}

#[test]
fn files_of_a_session_without_a_row_go_unless_someone_has_them_open() {
    let world = World::with_web();
    let dir = world.data().join("sessions/s-nobody");
    fs::create_dir_all(dir.join("delta")).unwrap();
    fs::write(dir.join("delta/data.1"), noise(2, 100_000)).unwrap();
    let lock = fs::File::create(dir.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(world.json(["store", "gc"])[0]["session_dirs"], 0);
    drop(lock);
    let done = &world.json(["store", "gc"])[0];
    assert_eq!(done["session_dirs"], 1);
    assert!(done["session_bytes"].as_u64().unwrap() >= 100_000);
    assert!(!dir.exists());
}

#[test]
fn a_second_collection_says_that_one_runs() {
    let world = World::with_web();
    world.ok(["store", "gc"]);
    let lock = fs::File::create(world.data().join("objects/gc.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let refused = world.run(["store", "gc"]);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.contains("hint:"), "{refused:?}");
}

#[test]
fn the_numbers_of_the_store_are_those_of_its_files() {
    let world = World::with_web();
    let stats = &world.json(["store", "stats"])[0];
    assert_eq!(stats["stored_bytes"].as_u64().unwrap(), disk_usage(&world.data().join("objects/packs")));
    assert!(world.ok(["store", "stats"]).contains("packs"));
}

#[test]
fn a_check_names_the_damage_and_the_paths_that_it_touches() {
    let world = World::with_web();
    assert_eq!(world.json(["store", "verify", "--read-data"])[0]["sound"], true);
    fs::write(world.path("src/web/big.bin"), noise(3, 500_000)).unwrap();
    world.ok(["source", "refresh", "web"]);
    let packs = fs::read_dir(world.data().join("objects/packs")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[50_000] ^= 4;
    fs::write(&pack, bytes).unwrap();
    assert_eq!(world.json(["store", "verify"])[0]["sound"], true, "content is not read");
    let ended = world.run(["store", "verify", "--read-data", "--json"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    let found: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(found["damaged_objects"].as_array().unwrap().len(), 1, "{found}");
    let touched = found["touched"].as_array().unwrap();
    let is_it = |place: &serde_json::Value| {
        place["by"] == "revision" && place["name"] == "web" && place["number"] == 2 && place["path"] == "big.bin"
    };
    assert!(touched.iter().any(is_it), "{found}");
    let text = world.run(["store", "verify", "--sample", "100%"]);
    assert!(text.code == 7 && text.out.contains("revision web@2: big.bin"), "{text:?}");
}
