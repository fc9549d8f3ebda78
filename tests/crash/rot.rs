//! Stored data that changed, or is gone: who reads it gets an error that names the file, and nobody gets wrong bytes.

use std::path::{Path, PathBuf};

use aether::delta::{Delta, DeltaError};
use aether::disk::{Disk, Open, SimDisk, errno};
use aether::model::{Place, Record};
use aether::overlay::Upper;
use rustix::io::Errno;

use super::scene::{append, create, dir, payload_of, settings, shared};

const COUNT: u64 = 24;

fn len_of(number: u64) -> usize {
    [300, 4096, 9000, 1, 12_288, 700, 5000][number as usize % 7]
}

/// The data that an open finds: number, place, length.
type Found = Vec<(u64, Place, u64)>;

fn open_raw(disk: &SimDisk) -> (Found, Delta) {
    let mut found = Vec::new();
    let delta = Delta::open(&shared(disk), &dir(), settings(), &mut |records| {
        for record in records {
            if let Record::Write { ino, place, len_bytes, .. } = record {
                found.push((ino, place, len_bytes));
            }
        }
        Ok(())
    });
    (found, delta.unwrap())
}

/// A closed delta with data in its segment and, of small pieces after a sync, in its log.
fn written() -> SimDisk {
    let disk = SimDisk::new();
    let delta = create(&disk);
    for number in 1..=COUNT {
        append(&delta, number, len_of(number)).unwrap();
        if number % 6 == 0 {
            delta.sync().unwrap();
        }
    }
    delta.close().unwrap();
    disk
}

fn segment() -> PathBuf {
    dir().join("data.2")
}

/// Reads everything, also in parts. What comes must be right; returns the numbers of what does not come.
fn unreadable(delta: &Delta, found: &Found, file: &Path) -> Vec<u64> {
    let mut bad = Vec::new();
    for &(number, place, len) in found {
        let want = payload_of(number, len as usize);
        let mut failed = false;
        for (from, upto) in [(0, len), (0, 1), (len - 1, len), (len / 3, len - len / 3), (len.min(4096), len)] {
            let mut bytes = vec![0; (upto.max(from) - from) as usize];
            match delta.read(Place { offset: place.offset + from, ..place }, &mut bytes) {
                Ok(()) => assert!(bytes == want[from as usize..][..bytes.len()], "wrong bytes of {number}"),
                Err(error) => {
                    assert_eq!(errno(&error), Errno::IO.raw_os_error());
                    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
                    failed = true;
                }
            }
        }
        if failed {
            bad.push(number);
        }
    }
    bad
}

#[test]
fn a_flipped_bit_of_data_is_an_error_for_those_who_read_it_and_for_nobody_else() {
    let disk = written();
    let len = disk.bytes(&segment()).unwrap().len();
    let mut hits = 0;
    for at in (0..len).step_by(37) {
        let copy = disk.after_kill(disk.event_count());
        copy.corrupt(&segment(), at, |bytes| bytes[0] ^= 1 << (at % 8));
        let (found, delta) = open_raw(&copy);
        assert_eq!(found.len() as u64, COUNT);
        let bad = unreadable(&delta, &found, &segment());
        let holds = |(_, place, len): &&(u64, Place, u64)| {
            place.file == 2 && place.offset <= at as u64 && (at as u64) < place.offset + len
        };
        let hit: Vec<u64> = found.iter().filter(holds).map(|(number, ..)| *number).collect();
        assert_eq!(bad, hit, "byte {at}");
        hits += hit.len();
    }
    assert!(hits > 100, "only {hits} bytes held data");
}

#[test]
fn a_flipped_bit_of_data_in_the_log_is_an_error_after_the_open_too() {
    let disk = written();
    let (found, delta) = open_raw(&disk);
    let log = dir().join("log.1");
    let inside: Vec<_> = found.iter().filter(|(_, place, _)| place.file == 1).copied().collect();
    assert!(inside.len() > 3);
    for &(number, place, len) in &inside {
        disk.corrupt(&log, (place.offset + len / 2) as usize, |bytes| bytes[0] ^= 8);
        assert_eq!(unreadable(&delta, &found, &log), [number]);
        disk.corrupt(&log, (place.offset + len / 2) as usize, |bytes| bytes[0] ^= 8);
    }
}

#[test]
fn a_segment_that_is_short_or_missing_or_another_one_hits_only_what_was_in_it() {
    let disk = written();
    let full = disk.bytes(&segment()).unwrap();
    let in_segment = |found: &Found| found.iter().filter(|(_, place, _)| place.file == 2).count();
    let change = |change: &dyn Fn(&SimDisk)| {
        let copy = disk.after_kill(disk.event_count());
        change(&copy);
        let (found, delta) = open_raw(&copy);
        let bad = unreadable(&delta, &found, &segment());
        // It can be gone on with, and what is new does not land in places that are taken.
        let new = append(&delta, COUNT + 1, 6000).unwrap().unwrap();
        assert!(found.iter().all(|(_, place, len)| {
            place.file != new.file || place.offset + len <= new.offset || new.offset + 6000 <= place.offset
        }));
        delta.close().unwrap();
        drop(delta);
        let (found, delta) = open_raw(&copy);
        assert_eq!(found.len() as u64, COUNT + 1);
        assert_eq!(unreadable(&delta, &found, &segment()), bad);
        (bad.len(), in_segment(&found))
    };
    let cut = |len: u64| move |disk: &SimDisk| disk.open(&segment(), Open::Write).unwrap().set_len(len).unwrap();
    for len in (0..full.len() as u64).step_by(3001) {
        let (bad, all) = change(&cut(len));
        assert!(bad > 0 && (bad < all || len < 4096), "cut to {len}: {bad} of {all}");
    }
    let (bad, all) = change(&|disk| disk.remove(&segment()).unwrap());
    assert_eq!(bad, all);
    let (bad, all) = change(&|disk| disk.corrupt(&segment(), 0, |bytes| bytes.reverse()));
    assert_eq!(bad, all);
    let (bad, _) = change(&|disk| {
        disk.open(&segment(), Open::Write).unwrap().write_at(full.len() as u64, &[&[7; 9000]]).unwrap();
    });
    assert_eq!(bad, 0);
}

#[test]
fn what_was_damaged_when_the_log_was_rewritten_stays_damaged_and_the_rest_moves() {
    let disk = written();
    let (found, delta) = open_raw(&disk);
    let &(hit, place, len) = found.iter().find(|(_, place, _)| place.file == 1).unwrap();
    disk.corrupt(&dir().join("log.1"), (place.offset + len / 2) as usize, |bytes| bytes[0] ^= 1);
    let dump = found.iter().map(|&(ino, place, len_bytes)| Record::Write {
        ino,
        offset: 0,
        len_bytes,
        place,
        time: super::scene::TIME,
    });
    let moved = delta.rewrite(&mut { dump }).unwrap();
    assert!(moved.len() > 3);
    delta.close().unwrap();
    drop(delta);
    let (found, delta) = open_raw(&disk);
    assert_eq!(unreadable(&delta, &found, &dir()), [hit]);
    drop(delta);
    // The dump tells the checksums of what lay in the segment before, too.
    disk.corrupt(&segment(), 100, |bytes| bytes[0] ^= 1);
    let (found, delta) = open_raw(&disk);
    assert_eq!(unreadable(&delta, &found, &dir()).len(), 2);
}

#[test]
fn a_log_that_was_durable_is_damaged_when_it_ends_early_and_when_it_is_gone() {
    let disk = written();
    let log = dir().join("log.1");
    let full = disk.bytes(&log).unwrap().len();
    // The last mark only says that the rest is durable.
    let tail_mark = 60;
    for len in 0..full - tail_mark {
        let copy = disk.after_kill(disk.event_count());
        copy.open(&log, Open::Write).unwrap().set_len(len as u64).unwrap();
        assert!(Delta::exists(&copy, &dir()).unwrap(), "cut to {len}");
        match super::scene::try_open(&copy, &dir()) {
            Err(DeltaError::Damaged { path, offset, .. }) => {
                assert!(path == log && offset <= len as u64, "cut to {len}")
            }
            other => panic!("cut to {len}: {:?}", other.map(|(_, seen)| seen.len())),
        }
    }
    disk.remove(&log).unwrap();
    assert!(matches!(Delta::exists(&disk, &dir()), Err(DeltaError::Damaged { path, .. }) if path == log));
}

#[test]
fn what_tells_how_far_the_log_is_durable_may_be_old_or_torn_or_missing() {
    let disk = written();
    let proof = dir().join("proof");
    let bytes = disk.bytes(&proof).unwrap();
    for at in 0..bytes.len() {
        let copy = disk.after_kill(disk.event_count());
        copy.corrupt(&proof, at, |bytes| bytes[0] ^= 1 << (at % 8));
        assert_eq!(open_raw(&copy).0.len() as u64, COUNT, "byte {at}");
    }
    let old = disk.after_kill(disk.event_count());
    let (_, delta) = open_raw(&old);
    append(&delta, COUNT + 1, 9).unwrap();
    delta.close().unwrap();
    drop(delta);
    old.open(&proof, Open::Write).unwrap().write_at(0, &[&bytes]).unwrap();
    assert_eq!(open_raw(&old).0.len() as u64, COUNT + 1);
    disk.remove(&proof).unwrap();
    assert_eq!(open_raw(&disk).0.len() as u64, COUNT);
}
