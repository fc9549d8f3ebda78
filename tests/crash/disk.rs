//! The simulated disk itself: what a power cut may leave, and what it may not.

use std::collections::BTreeSet;
use std::path::Path;

use aether::disk::sim::{Fault, Op};
use aether::disk::{Disk, File, Open, SimDisk, errno};

const FILE: &str = "/d/file";

fn with_file() -> (SimDisk, File) {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new(FILE), Open::CreateNew).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    (disk, file)
}

/// Every content that some power cut leaves of the file; `None` when there is no file.
fn left(disk: &SimDisk) -> BTreeSet<Option<Vec<u8>>> {
    (0..300).map(|seed| disk.after_power_cut(disk.event_count(), seed).bytes(Path::new(FILE))).collect()
}

#[test]
fn synced_bytes_are_always_left_and_unsynced_ones_sometimes() {
    let (disk, file) = with_file();
    file.write_at(0, &[b"old"]).unwrap();
    file.sync_data().unwrap();
    file.write_at(0, &[b"new"]).unwrap();
    assert_eq!(left(&disk), BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]));
    file.sync_data().unwrap();
    assert_eq!(left(&disk), BTreeSet::from([Some(b"new".to_vec())]));
}

#[test]
fn unsynced_sectors_are_torn_in_all_ways_but_never_inside() {
    let (disk, file) = with_file();
    file.write_at(0, &[&[b'a'; 1024]]).unwrap();
    file.sync_data().unwrap();
    file.write_at(0, &[&[b'b'; 1024]]).unwrap();
    let sectors: BTreeSet<(u8, u8)> = left(&disk)
        .into_iter()
        .map(|bytes| {
            let bytes = bytes.unwrap();
            assert!(bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            (bytes[0], bytes[512])
        })
        .collect();
    assert_eq!(sectors.len(), 4, "{sectors:?}");
}

#[test]
fn a_length_and_its_bytes_can_come_apart_until_a_sync() {
    let (disk, file) = with_file();
    file.write_at(0, &[b"data"]).unwrap();
    let images = left(&disk);
    assert!(images.contains(&Some(Vec::new())) && images.contains(&Some(vec![0; 4])), "{images:?}");
    file.set_len(2).unwrap();
    file.sync_data().unwrap();
    assert_eq!(left(&disk), BTreeSet::from([Some(b"da".to_vec())]));
}

#[test]
fn a_sync_after_a_failed_one_covers_only_what_was_written_again() {
    let (disk, file) = with_file();
    file.write_at(0, &[b"lost?"]).unwrap();
    disk.fail(Fault { op: Some(Op::SyncData), after: 0, count: 1, errno: 5 });
    assert_eq!(errno(&file.sync_data().unwrap_err()), 5);
    file.sync_data().unwrap();
    assert!(left(&disk).len() > 1);
    file.write_at(0, &[b"lost?"]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(left(&disk), BTreeSet::from([Some(b"lost?".to_vec())]));
}

#[test]
fn names_are_durable_after_a_sync_of_their_directory_only() {
    let (disk, file) = with_file();
    file.write_at(0, &[b"1"]).unwrap();
    file.sync_data().unwrap();
    let temporary = disk.open(Path::new("/d/new"), Open::CreateNew).unwrap();
    temporary.write_at(0, &[b"2"]).unwrap();
    temporary.sync_data().unwrap();
    disk.rename(Path::new("/d/new"), Path::new(FILE)).unwrap();
    assert_eq!(left(&disk), BTreeSet::from([Some(b"1".to_vec()), Some(b"2".to_vec())]));
    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(left(&disk), BTreeSet::from([Some(b"2".to_vec())]));
    disk.remove(Path::new(FILE)).unwrap();
    assert_eq!(left(&disk), BTreeSet::from([None, Some(b"2".to_vec())]));
}

#[test]
fn a_full_disk_takes_what_fits_and_what_was_allocated() {
    let (disk, file) = with_file();
    file.allocate(0, 8192).unwrap();
    disk.set_capacity(Some(8192));
    assert_eq!(errno(&file.write_at(4096, &[&[1; 8192]]).unwrap_err()), 28);
    assert_eq!(file.len().unwrap(), 8192);
    file.write_at(0, &[&[1; 8192]]).unwrap();
    file.punch(0, 4096).unwrap();
    file.write_at(8192, &[&[1; 4096]]).unwrap();
    assert_eq!(disk.used_bytes(), 8192);
}

#[test]
fn a_failing_write_never_writes_all() {
    for after in 0..20 {
        let (disk, file) = with_file();
        disk.fail(Fault { op: Some(Op::Write), after, count: 1, errno: 5 });
        for at in 0..=after {
            assert_eq!(file.write_at(at * 10, &[&[1; 10]]).is_ok(), at < after);
        }
        assert!(file.len().unwrap() < after * 10 + 10);
    }
}

#[test]
fn a_lock_is_given_up_when_its_file_is_closed() {
    let (disk, file) = with_file();
    let other = disk.open(Path::new(FILE), Open::Write).unwrap();
    assert!(file.try_lock().unwrap() && file.try_lock().unwrap() && !other.try_lock().unwrap());
    drop(file);
    assert!(other.try_lock().unwrap());
}
