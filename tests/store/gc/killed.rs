//! A collection that is killed, or whose power fails, between any two changes of the disk.

use aether::disk::{Disk, SimDisk};
use aether::model::RootId;
use tempfile::tempdir;

use super::scene::{Files, StoreDisk, collect, files, import, read_tree};

struct Before {
    dir: tempfile::TempDir,
    disk: StoreDisk,
    live: Vec<(RootId, Files)>,
    dead: (RootId, Files),
    /// Events before the collection began.
    start: usize,
}

fn scene() -> Before {
    let dir = tempdir().unwrap();
    std::fs::create_dir(dir.path().join("packs")).unwrap();
    let disk = StoreDisk(SimDisk::new());
    disk.0.create_dir(dir.path()).unwrap();
    dir.path().ancestors().for_each(|above| disk.0.sync_dir(above).unwrap());
    let store = disk.open(dir.path());
    let keep = |files: Files| (import(&store, &files), files);
    let dead = keep(files(0..12));
    // Some of it lives in the pack of the dead one, some in packs of its own.
    let live = vec![keep(files(2..4)), keep(files(20..25)), keep(files(3..8))];
    keep(files(40..45));
    let start = disk.0.event_count();
    let roots: Vec<_> = live.iter().map(|(root, _)| *root).collect();
    let done = collect(&store, &roots).unwrap();
    assert!(done.moved_packs > 0 && done.deleted_packs > done.moved_packs, "{done:?}");
    Before { dir, disk, live, dead, start }
}

fn check(before: &Before, disk: SimDisk, what: &str) {
    let disk = StoreDisk(disk);
    let dir = before.dir.path();
    let store = disk.open(dir);
    for (root, files) in &before.live {
        read_tree(&store, *root, files).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
    // Whoever stores the dead tree again has it, whatever was left of it.
    let (dead, files) = &before.dead;
    assert_eq!(import(&store, files), *dead);
    read_tree(&disk.open(dir), *dead, files).unwrap_or_else(|error| panic!("{what}, stored again: {error:?}"));
    let roots: Vec<_> = before.live.iter().map(|(root, _)| *root).collect();
    collect(&store, &roots).unwrap();
    for store in [store, disk.open(dir)] {
        for (root, files) in &before.live {
            read_tree(&store, *root, files).unwrap_or_else(|error| panic!("{what}, collected: {error:?}"));
        }
        assert!(read_tree(&store, *dead, files).is_err(), "{what}");
    }
    let left = disk.packs(dir).into_iter().filter(|name| name.contains('-')).collect::<Vec<_>>();
    assert!(left.is_empty(), "{what}: {left:?}");
}

#[test]
fn killed_anywhere_a_collection_loses_nothing_and_is_done_by_the_next() {
    let before = scene();
    let end = before.disk.0.event_count();
    assert!(end - before.start > 20, "{} places", end - before.start);
    for at in before.start..=end {
        check(&before, before.disk.0.after_kill(at), &format!("killed after event {at}"));
    }
}

#[test]
fn when_the_power_fails_anywhere_a_collection_loses_nothing() {
    let before = scene();
    for at in before.start..=before.disk.0.event_count() {
        for seed in 0..3 {
            let disk = before.disk.0.after_power_cut(at, seed);
            check(&before, disk, &format!("power cut after event {at}, seed {seed}"));
        }
    }
}
