//! The space of the store: what is freed, and when.

use std::fs;
use std::path::Path;

use super::{World, needs_root};

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
fn a_delta_that_was_folded_is_found_and_given_back_once_nobody_has_the_session_open() {
    let world = World::with_web();
    let id = world.json(["session", "show", "fix-login"])[0]["id"].as_str().unwrap().to_owned();
    let dir = world.data().join("sessions").join(id);
    // Sealed, so that the session stands on its second delta, which nobody has made yet.
    world.ok(["session", "archive", "fix-login"]);
    world.ok(["session", "activate", "fix-login"]);
    for delta in ["delta", "delta-7"] {
        fs::create_dir_all(dir.join(delta)).unwrap();
        fs::write(dir.join(delta).join("data.1"), noise(4, 50_000)).unwrap();
    }
    let lock = fs::File::create(dir.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(world.json(["store", "gc"])[0]["session_dirs"], 0);
    drop(lock);
    assert_eq!(world.json(["store", "gc", "--dry-run"])[0]["session_dirs"], 1);
    assert!(dir.join("delta").exists());
    assert_eq!(world.json(["store", "gc"])[0]["session_dirs"], 1);
    assert!(!dir.join("delta").exists());
    assert!(dir.join("delta-7").exists(), "nobody knows that it is dead");
}

#[test]
fn a_dry_run_names_what_is_due_and_changes_nothing() {
    let world = World::with_web();
    world.ok(["session", "expire", "fix-login", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let would = &world.json(["store", "gc", "--dry-run"])[0];
    assert_eq!(would["due"]["archived"], serde_json::json!(["fix-login"]));
    assert!(world.ok(["store", "gc", "--dry-run"]).contains("Would archive session fix-login"));
    assert_eq!(world.json(["session", "show", "fix-login"])[0]["status"], "active");
    assert_eq!(world.json(["store", "gc"])[0]["due"]["archived"], serde_json::json!(["fix-login"]));
    assert_eq!(world.json(["session", "show", "fix-login"])[0]["status"], "archived");
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
    assert!(world.ok(["store", "stats"]).contains(" in 1 pack"));
}

/// What a file or directory takes: sessions by the blocks that they have, all else by length.
fn by_hand(dir: &Path, is_live: bool) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.metadata().unwrap() {
            found if found.is_dir() => by_hand(&entry.path(), is_live || entry.file_name() == "sessions"),
            found if is_live => found.blocks() * 512,
            _ if entry.file_name().to_string_lossy().ends_with("-shm") => 0,
            found => found.len(),
        })
        .sum()
}

#[test]
fn the_sums_of_du_are_those_of_the_disk_and_deleting_frees_what_it_said() {
    let world = World::with_web();
    for (name, seed, size) in [("one", 11, 900_000), ("two", 12, 400_000)] {
        fs::create_dir(world.path(name)).unwrap();
        fs::write(world.path(name).join("own"), noise(seed, size)).unwrap();
        fs::write(world.path(name).join("same"), noise(13, 300_000)).unwrap();
        world.ok(["source", "create", name, name]);
    }
    world.ok(["session", "create", "work", "--source", "one"]);
    world.ok(["session", "create", "blank", "--empty"]);
    world.ok(["checkpoint", "create", "work"]);
    // A dead object, and a delta.
    world.ok(["source", "refresh", "two"]);
    let dir = world.data().join("sessions").join(world.json(["session", "show", "blank"])[0]["id"].as_str().unwrap());
    fs::create_dir_all(dir.join("delta")).unwrap();
    fs::write(dir.join("delta/data.1"), noise(14, 70_000)).unwrap();

    let du = || world.json(["du"]).remove(0);
    let found = du();
    assert_eq!(found, world.json(["store", "du"])[0]);
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let total = number(&found["total_bytes"]);
    assert_eq!(total, by_hand(&world.data(), false), "{found}");
    assert_eq!(number(&found["pack_bytes"]), disk_usage(&world.data().join("objects/packs")));
    let holder = |found: &serde_json::Value, kind: &str, name: &str| {
        let all = found["holders"].as_array().unwrap().iter();
        all.into_iter().find(|holder| holder["kind"] == kind && holder["name"] == name).unwrap().clone()
    };
    // What source `one` has of its own, its session has, too; source `two` alone has its own file.
    assert_eq!(number(&holder(&found, "source", "one")["own_bytes"]), 0);
    let two = holder(&found, "source", "two");
    let own = number(&two["own_bytes"]);
    assert!((400_000..420_000).contains(&own) && number(&two["shared_bytes"]) >= 300_000, "{two}");
    assert!(number(&holder(&found, "session", "blank")["live_bytes"]) >= 70_000);
    let tops = found["holders"].as_array().unwrap().iter().filter(|holder| holder["kind"] != "checkpoint");
    assert_eq!(tops.map(|holder| number(&holder["own_bytes"])).sum::<u64>(), number(&found["own_bytes"]));

    world.ok(["source", "delete", "two"]);
    assert_eq!(holder(&du(), "source", "two")["deleted"], true, "it is in the trash");
    let before = disk_usage(&world.data().join("objects/packs"));
    world.ok(["store", "gc", "--trash-days", "0"]);
    let freed = before - disk_usage(&world.data().join("objects/packs"));
    assert!(freed.abs_diff(own) < 2_000, "{freed} bytes came back, not {own}");
    let text = world.ok(["du"]);
    assert!(text.contains("session") && text.contains(" in all: ") && !text.contains('█'), "{text}");
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

/// The largest pack, with some bytes changed.
fn damage_the_largest_pack(world: &World, at: usize) {
    let packs = fs::read_dir(world.data().join("objects/packs")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[at] ^= 4;
    fs::write(&pack, bytes).unwrap();
}

#[test]
fn a_repair_brings_back_what_the_origin_still_has_and_takes_nothing_healthy_away() {
    let world = World::with_web();
    for (file, seed) in [("a.bin", 21), ("b.bin", 22), ("c.bin", 23)] {
        fs::write(world.path("src/web").join(file), noise(seed, 400_000)).unwrap();
    }
    world.ok(["source", "refresh", "web"]);
    assert_eq!(world.json(["store", "repair"])[0]["lost_objects"], 0, "nothing is to be done");
    damage_the_largest_pack(&world, 500_000);
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 7);
    // The index is broken, too.
    fs::write(world.data().join("objects/index.db"), "no index").unwrap();
    let done = &world.json(["store", "repair"])[0];
    assert_eq!((&done["lost_objects"], &done["restored_objects"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(done["set_aside"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["origins"][0]["source"], "web");
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
    assert_eq!(world.json(["event", "list", "--type", "store.repair"]).len(), 1);
    for file in ["a.bin", "b.bin", "c.bin"] {
        let ended = world.aether(["cat", &format!("web@2:{file}")]).output().unwrap();
        assert!(ended.stdout == fs::read(world.path("src/web").join(file)).unwrap(), "{file}");
    }
}

#[test]
fn a_repair_names_what_stays_damaged_and_rescues_all_else() {
    let world = World::with_web();
    for (file, seed) in [("a.bin", 21), ("b.bin", 22), ("c.bin", 23)] {
        fs::write(world.path("src/web").join(file), noise(seed, 400_000)).unwrap();
    }
    world.ok(["source", "refresh", "web"]);
    damage_the_largest_pack(&world, 500_000);
    let kept: Vec<_> =
        ["a.bin", "b.bin", "c.bin"].map(|file| fs::read(world.path("src/web").join(file)).unwrap()).into();
    // The origin has other content by now.
    for file in ["a.bin", "b.bin", "c.bin"] {
        fs::write(world.path("src/web").join(file), "else").unwrap();
    }
    let ended = world.run(["store", "repair", "--json"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    let done: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&done["lost_objects"], &done["restored_objects"]), (&1.into(), &0.into()), "{done}");
    let touched = done["after"]["touched"].as_array().unwrap();
    assert!(touched.iter().any(|place| place["by"] == "revision" && place["number"] == 2), "{done}");
    let whole = ["a.bin", "b.bin", "c.bin"].iter().zip(&kept).filter(|(file, bytes)| {
        let ended = world.aether(["cat", &format!("web@2:{file}")]).output().unwrap();
        assert!(ended.stdout == **bytes || ended.status.code() == Some(7), "never wrong bytes");
        ended.stdout == **bytes
    });
    assert_eq!(whole.count(), 2, "what was whole is whole");
    // Done again it finds the same, and loses nothing more.
    assert_eq!(world.run(["store", "repair"]).code, 7);
    assert_eq!(world.json(["session", "list"]).len(), 1);
}

/// A command with the backup as its data directory.
fn in_backup(world: &World, dir: &str, args: &[&str]) -> super::Ended {
    super::end(world.aether(args).env("AETHER_HOME", world.path(dir)))
}

#[test]
fn a_backup_is_a_data_directory_and_is_brought_up_to_date_by_what_is_new() {
    let world = World::with_web();
    world.ok(["checkpoint", "create", "fix-login"]);
    world.ok(["session", "create", "gone", "--source", "web"]);
    world.ok(["session", "delete", "gone"]);
    let first = &world.json(["store", "backup", "copy"])[0];
    assert!(first["copied_packs"].as_u64().unwrap() > 0 && first["sessions"] == 2, "{first}");
    assert_eq!(in_backup(&world, "copy", &["store", "verify", "--read-data"]).code, 0);
    let list = in_backup(&world, "copy", &["session", "list", "-q"]);
    assert_eq!((list.code, list.out.as_str()), (0, "fix-login\n"), "{list:?}");
    assert_eq!(in_backup(&world, "copy", &["cat", "fix-login:index.html"]).out, "<p>hello</p>\n");

    fs::write(world.path("src/web/more"), noise(31, 200_000)).unwrap();
    world.ok(["source", "refresh", "web"]);
    let second = &world.json(["store", "backup", "copy"])[0];
    assert_eq!(
        second["present_packs"],
        first["copied_packs"].as_u64().unwrap() + first["present_packs"].as_u64().unwrap()
    );
    assert_eq!(second["copied_packs"], 1, "{second}");
    assert_eq!(in_backup(&world, "copy", &["ls", "web@2:"]).code, 0);
    assert_eq!(world.json(["event", "list", "--type", "store.backup"]).len(), 2);

    // Worked with, it is no backup any more.
    assert_eq!(in_backup(&world, "copy", &["session", "create", "new", "--source", "web"]).code, 0);
    let refused = world.run(["store", "backup", "copy"]);
    assert!(refused.code == 4 && refused.err.contains("hint:"), "{refused:?}");
    assert!(in_backup(&world, "copy", &["session", "show", "new"]).code == 0, "nothing was lost");
}

#[test]
fn a_backup_is_refused_where_something_else_is() {
    let world = World::with_web();
    fs::create_dir(world.path("full")).unwrap();
    fs::write(world.path("full/mine"), "mine").unwrap();
    for (dir, code) in [("full", 4), ("data/inside", 2), (".", 2)] {
        let refused = world.run(["store", "backup", dir]);
        assert!(refused.code == code && refused.err.contains("hint:"), "{dir}: {refused:?}");
    }
    assert_eq!(fs::read_to_string(world.path("full/mine")).unwrap(), "mine");
    assert!(!world.data().join("inside").exists());
}

#[test]
fn a_backup_that_ended_before_its_first_note_is_begun_again() {
    let world = World::with_web();
    fs::create_dir(world.path("copy")).unwrap();
    for name in ["backup.lock", "backup.json.new"] {
        fs::write(world.path("copy").join(name), "").unwrap();
    }
    world.ok(["store", "backup", "copy"]);
    assert_eq!(in_backup(&world, "copy", &["store", "verify"]).code, 0);
}

#[test]
fn a_collection_in_a_linked_backup_takes_nothing_from_what_it_is_a_backup_of() {
    let world = World::with_web();
    fs::create_dir(world.path("big")).unwrap();
    fs::write(world.path("big/data"), noise(32, 300_000)).unwrap();
    world.ok(["source", "create", "big", "big"]);
    world.ok(["store", "backup", "--link", "copy"]);
    assert_eq!(in_backup(&world, "copy", &["source", "delete", "big"]).code, 0);
    let gone = in_backup(&world, "copy", &["store", "gc", "--trash-days", "0", "--json"]);
    assert!(gone.out.contains("\"deleted_packs\":1"), "{gone:?}");
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
    assert!(world.aether(["cat", "big@1:data"]).output().unwrap().stdout == noise(32, 300_000));
}

#[test]
fn without_labels_a_lost_catalog_is_made_anew_with_every_tree_that_is_found() {
    let world = World::with_web();
    fs::write(world.path("src/web/more"), "more").unwrap();
    world.ok(["source", "refresh", "web"]);
    let refused = world.run(["store", "rebuild"]);
    assert!(refused.code == 5 && refused.err.contains("hint:"), "{refused:?}");
    let mark = world.data().join("sessions/s-some/delta");
    fs::create_dir_all(&mark).unwrap();
    fs::write(mark.join("data.1"), "live").unwrap();

    fs::write(world.data().join("catalog.db"), "no catalog").unwrap();
    fs::remove_file(world.data().join("objects/labels")).unwrap();
    assert_ne!(world.run(["source", "list"]).code, 0);
    let done = &world.json(["store", "rebuild"])[0];
    let sources = done["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{done}");
    let lists: Vec<String> =
        sources.iter().map(|name| world.ok(["ls", "-q", &format!("{}@1:", name.as_str().unwrap())])).collect();
    assert!(
        lists.iter().any(|list| list.contains("more")) && lists.iter().any(|list| !list.contains("more")),
        "{lists:?}"
    );
    let kept = done["set_aside"].as_array().unwrap();
    assert!(kept.iter().any(|path| path.as_str().unwrap().ends_with("-catalog.db")), "{done}");
    let sessions = kept.iter().find(|path| path.as_str().unwrap().ends_with("-sessions")).unwrap().as_str().unwrap();
    assert_eq!(fs::read_to_string(Path::new(sessions).join("s-some/delta/data.1")).unwrap(), "live");
    // It is a catalog like any other.
    world.ok(["session", "create", "again", "--source", "recovered-1"]);
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
    world.ok(["store", "gc", "--trash-days", "0"]);
    assert_eq!(world.run(["store", "verify", "--read-data"]).code, 0);
}

/// A file system of its own in memory, gone at the end.
struct Small(std::path::PathBuf);

impl Small {
    fn new(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let flags = rustix::mount::MountFlags::NOSUID;
        rustix::mount::mount("small", at, "tmpfs", flags, Some(c"size=32m,mode=700")).unwrap();
        Self(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn on_a_full_disk_deleting_gives_space_back() {
    if needs_root() {
        return;
    }
    let world = World::new();
    let _small = Small::new(&world.data());
    fs::create_dir(world.path("big")).unwrap();
    for seed in 0..5 {
        fs::write(world.path("big").join(seed.to_string()), noise(seed, 1 << 20)).unwrap();
    }
    world.ok(["source", "create", "big", "big"]);
    world.ok(["session", "create", "one", "--source", "big"]);
    let mut file = fs::File::create(world.data().join("fill")).unwrap();
    for block in [1 << 16, 1] {
        while std::io::Write::write_all(&mut file, &vec![0; block]).is_ok() {}
    }
    drop(file);
    world.ok(["session", "delete", "--yes", "one"]);
    world.ok(["source", "delete", "big"]);
    world.ok(["trash", "empty", "--yes"]);
    let freed = world.json(["store", "gc"])[0]["freed_bytes"].as_u64().unwrap();
    assert!(freed > 5 << 20, "{freed}");
    fs::remove_file(world.data().join("fill")).unwrap();
    world.ok(["store", "gc"]);
    let reserve = fs::metadata(world.data().join("reserve")).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&reserve) * 512 >= 2 << 20, "it is kept for the next time");
}
