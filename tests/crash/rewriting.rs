//! Rewriting the log, and dying in it.

use aether::delta::Delta;
use aether::disk::SimDisk;
use aether::disk::sim::Fault;
use aether::model::{Place, Record};
use aether::overlay::Upper;

use super::scene::{Seen, TIME, append, create, dir, open, payload_of, try_open};

const INLINE: usize = 200;

/// The state is one file that was written three times, in the log and in a segment.
fn history(delta: &Delta) -> Vec<(u64, Place, usize)> {
    let mut live = Vec::new();
    for number in 1..=12 {
        if number % 3 == 0 {
            delta.sync().unwrap();
        }
        let len = if number % 2 == 0 { 5000 } else { INLINE };
        let place = append(delta, number, len).unwrap().unwrap();
        if number > 8 {
            live.push((number, place, len));
        }
    }
    live
}

fn dump(live: &[(u64, Place, usize)]) -> Vec<Record> {
    live.iter()
        .map(|&(ino, place, len)| Record::Write { ino, offset: 0, len_bytes: len as u64, place, time: TIME })
        .collect()
}

/// The numbers and bytes that an open finds in the last state: the dump's, or the history's.
fn found(disk: &SimDisk) -> (bool, Vec<u64>) {
    let mut batches = Vec::new();
    let delta = Delta::open(&super::scene::shared(disk), &dir(), super::scene::settings(), &mut |records| {
        batches.push(records);
        Ok(())
    })
    .unwrap();
    let dumped = batches.first().is_some_and(|batch| matches!(batch[0], Record::Write { .. }));
    let mut numbers = Vec::new();
    for record in batches.iter().flatten() {
        if let Record::Write { ino, len_bytes, place, .. } = record {
            let mut bytes = vec![0; *len_bytes as usize];
            delta.read(*place, &mut bytes).unwrap();
            assert_eq!(bytes, payload_of(*ino, bytes.len()));
            numbers.push(*ino);
        }
    }
    (dumped, numbers)
}

#[test]
fn a_rewritten_log_holds_the_state_and_nothing_of_the_old_log_is_needed() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let live = history(&delta);
    let moved = delta.rewrite(&mut dump(&live).into_iter()).unwrap();
    assert!(!moved.is_empty() && moved.iter().all(|(from, len, to)| *len == INLINE as u64 && from.file != to.file));
    let mut bytes = vec![0; INLINE];
    for (from, _, to) in &moved {
        for place in [from, to] {
            delta.read(*place, &mut bytes).unwrap();
            let (number, ..) = live.iter().find(|(_, place, _)| place == from).unwrap();
            assert_eq!(bytes, payload_of(*number, INLINE));
        }
    }
    append(&delta, 13, 700).unwrap();
    delta.close().unwrap();
    drop(delta);
    assert!(disk.bytes(&dir().join("log.1")).is_none(), "the old log is still there");
    assert_eq!(found(&disk), (true, vec![9, 10, 11, 12, 13]));
}

#[test]
fn killed_or_cut_off_anywhere_in_a_rewrite_the_old_or_the_new_log_counts() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let live = history(&delta);
    delta.sync().unwrap();
    let before = disk.event_count();
    delta.rewrite(&mut dump(&live).into_iter()).unwrap();
    let rewritten = disk.event_count();
    append(&delta, 13, 700).unwrap();
    delta.sync().unwrap();
    append(&delta, 14, 0).unwrap();
    delta.close().unwrap();
    drop(delta);
    let old: Vec<u64> = (1..=12).collect();
    let (mut olds, mut news) = (0, 0);
    for events in before..=disk.event_count() {
        let killed = disk.after_kill(events);
        for image in (0..16).map(|seed| disk.after_power_cut(events, seed)).chain([killed]) {
            let (dumped, numbers) = found(&image);
            assert!(dumped || events < rewritten, "after {events} events the old log counts");
            if dumped {
                assert!(numbers == [9, 10, 11, 12] || numbers == [9, 10, 11, 12, 13], "{numbers:?}");
                news += 1;
            } else {
                assert_eq!(numbers, old);
                olds += 1;
            }
            // The second open finds the same.
            assert_eq!(found(&image), (dumped, numbers));
        }
    }
    assert!(olds > 0 && news > 0);
}

#[test]
fn after_a_rewrite_that_failed_nothing_that_follows_is_lost() {
    let mut failures = 0;
    for after in 0..40 {
        let disk = SimDisk::new();
        let delta = create(&disk);
        let live = history(&delta);
        disk.fail(Fault { op: None, after, count: 1, errno: 5 });
        let result = delta.rewrite(&mut dump(&live).into_iter());
        disk.heal();
        failures += u64::from(result.is_err());
        append(&delta, 13, 700).unwrap();
        delta.sync().unwrap();
        drop(delta);
        for image in (0..12).map(|seed| disk.after_power_cut(disk.event_count(), seed)) {
            let (dumped, numbers) = found(&image);
            assert_eq!(dumped, result.is_ok(), "call {after}");
            assert_eq!(numbers.last(), Some(&13), "call {after}");
            let (delta, _) = try_open(&image, &dir()).unwrap();
            append(&delta, 14, 10).unwrap();
        }
        let (dumped, _) = found(&disk.after_kill(disk.event_count()));
        assert_eq!(dumped, result.is_ok(), "call {after}, killed");
    }
    assert!(failures > 5);
}

#[test]
fn an_empty_state_can_be_dumped() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    history(&delta);
    assert_eq!(delta.rewrite(&mut std::iter::empty()).unwrap(), []);
    append(&delta, 1, 0).unwrap();
    drop(delta);
    assert_eq!(open(&disk).1, [Seen { number: 1, payload: None }]);
}
