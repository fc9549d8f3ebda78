//! Logs that were cut off, and bytes that changed.

use std::path::Path;

use aether::delta::DeltaError;
use aether::disk::{Disk, Open, SimDisk};
use aether::overlay::Upper;

use super::scene::{Seen, append, create, dir, expected, open, try_open};

fn len_of(number: u64) -> usize {
    [0, 90, 1500, 300][number as usize % 4]
}

/// A delta with batches of all sorts, not closed.
fn written(batches: u64) -> SimDisk {
    let disk = SimDisk::new();
    let delta = create(&disk);
    for number in 1..=batches {
        if number == 2 {
            delta.sync().unwrap();
        }
        append(&delta, number, len_of(number)).unwrap();
    }
    disk
}

fn cut(disk: &SimDisk, path: &Path, len: u64) {
    disk.open(path, Open::Write).unwrap().set_len(len).unwrap();
}

fn is_prefix(seen: &[Seen]) -> bool {
    seen == expected(seen.len() as u64, len_of)
}

#[test]
fn a_log_cut_at_any_byte_opens_as_a_prefix_or_is_called_damaged_where_it_was_durable() {
    let disk = written(12);
    let log = dir().join("log.1");
    let full = disk.bytes(&log).unwrap().len();
    let mut last = 0;
    for len in 0..=full {
        let copy = disk.after_kill(disk.event_count());
        cut(&copy, &log, len as u64);
        match try_open(&copy, &dir()) {
            Ok((delta, seen)) => {
                assert!(is_prefix(&seen), "cut at {len}");
                assert!(seen.len() >= last, "more bytes gave fewer batches at {len}");
                last = seen.len();
                append(&delta, last as u64 + 1, len_of(last as u64 + 1)).unwrap();
                drop(delta);
                let (_, seen) = open(&copy);
                assert!(is_prefix(&seen) && seen.len() == last + 1, "append after a cut at {len}");
            }
            Err(DeltaError::Damaged { path, .. }) => assert!(last == 0 && path == log, "cut at {len}"),
            Err(error) => panic!("cut at {len}: {error}"),
        }
    }
    assert_eq!(last, 12);
}

#[test]
fn a_flipped_bit_in_the_log_of_a_closed_delta_is_called_damage() {
    let disk = written(10);
    let (delta, _) = open(&disk);
    delta.close().unwrap();
    drop(delta);
    let log = dir().join("log.1");
    let full = disk.bytes(&log).unwrap().len();
    let tail_mark = 60;
    for at in 0..full - tail_mark {
        let copy = disk.after_kill(disk.event_count());
        copy.corrupt(&log, at, |bytes| bytes[0] ^= 1 << (at % 8));
        match try_open(&copy, &dir()) {
            Err(DeltaError::Damaged { path, offset, .. }) => assert!(path == log && offset <= at as u64),
            Err(DeltaError::Format { .. }) => panic!("a flipped bit passed for a version"),
            Err(error) => panic!("byte {at}: {error}"),
            Ok((_, seen)) => panic!("byte {at}: opened with {} batches", seen.len()),
        }
    }
}

#[test]
fn a_flipped_bit_in_an_unsynced_log_never_gives_anything_but_a_prefix() {
    let disk = written(10);
    let log = dir().join("log.1");
    for at in 0..disk.bytes(&log).unwrap().len() {
        let copy = disk.after_kill(disk.event_count());
        copy.corrupt(&log, at, |bytes| bytes[0] ^= 1 << (at % 8));
        if let Ok((_, seen)) = try_open(&copy, &dir()) {
            assert!(is_prefix(&seen), "byte {at}");
        }
    }
}

#[test]
fn a_log_of_another_format_is_refused() {
    let disk = written(1);
    disk.corrupt(&dir().join("log.1"), 0, |bytes| {
        bytes[8] = 3;
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..40]).to_le_bytes();
        bytes[40..48].copy_from_slice(&sum);
    });
    assert!(matches!(try_open(&disk, &dir()), Err(DeltaError::Format { version: 3, .. })));
}

#[test]
fn bytes_of_a_file_that_look_like_a_frame_are_not_taken_for_one() {
    let disk = written(6);
    let log = dir().join("log.1");
    let frames = disk.bytes(&log).unwrap();
    let (delta, seen) = open(&disk);
    let before = disk.bytes(&log).unwrap().len();
    // The log's own frames, as the content of a file, in the log itself.
    delta.sync().unwrap();
    let payload = aether::overlay::Payload { ino: 9, offset: 0, bytes: &frames[48..], time: super::scene::TIME };
    delta.append(&[], Some(payload)).unwrap();
    drop(delta);
    for len in before..=disk.bytes(&log).unwrap().len() {
        let copy = disk.after_kill(disk.event_count());
        cut(&copy, &log, len as u64);
        assert_eq!(open(&copy).1, seen, "cut at {len}");
    }
}
