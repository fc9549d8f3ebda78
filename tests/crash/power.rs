//! Power cuts at every recorded point.

use std::path::Path;

use aether::delta::{Delta, DeltaError};
use aether::disk::{Disk, SimDisk};
use aether::overlay::Upper;

use super::scene::{append, create, dir, expected, open, try_open};

/// Kept small, but beyond a page, so that frames and data are torn in all ways.
fn len_of(number: u64) -> usize {
    [0, 700, 5000, 0, 60, 1000, 9000, 4096][number as usize % 8]
}

const SEEDS: u64 = 8;

/// Runs `work`, which returns what it can say for certain after each step: how many batches are durable, and how many
/// were appended. Then cuts the power everywhere.
fn check_everywhere(disk: &SimDisk, certain: &[(usize, u64)], appended: &[(usize, u64)]) {
    let at_least = |events: usize| certain.iter().filter(|(at, _)| *at <= events).map(|(_, n)| *n).max();
    let at_most = |events: usize| appended.iter().find(|(at, _)| *at >= events).map_or(u64::MAX, |(_, n)| *n);
    let first = certain[0].0;
    for events in first..=disk.event_count() {
        for seed in 0..SEEDS {
            let cut = disk.after_power_cut(events, seed * 1000 + events as u64);
            let (delta, seen) = match try_open(&cut, &dir()) {
                Ok(opened) => opened,
                Err(error) => panic!("cut after {events} events, seed {seed}: {error}"),
            };
            let count = seen.len() as u64;
            assert_eq!(seen, expected(count, len_of), "cut after {events} events, seed {seed}: not a prefix");
            let least = at_least(events).unwrap();
            assert!(count >= least, "cut after {events} events, seed {seed}: {count} batches, {least} were synced");
            assert!(count <= at_most(events), "cut after {events} events, seed {seed}: {count} batches");
            // What was found is found again, also after another cut, once it is synced.
            if seed == 0 {
                append(&delta, count + 1, len_of(count + 1)).unwrap();
                delta.sync().unwrap();
                drop(delta);
                let again = cut.after_power_cut(cut.event_count(), events as u64);
                assert_eq!(open(&again).1, expected(count + 1, len_of));
            }
        }
    }
}

#[test]
fn after_a_power_cut_the_delta_is_a_prefix_with_everything_that_was_synced() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let mut certain = vec![(disk.event_count(), 0)];
    let mut appended = vec![(disk.event_count(), 0)];
    for number in 1..=36 {
        append(&delta, number, len_of(number)).unwrap();
        appended.push((disk.event_count(), number));
        if number % 9 == 0 || number == 13 || number == 14 {
            delta.sync().unwrap();
            certain.push((disk.event_count(), number));
        }
    }
    drop(delta);
    check_everywhere(&disk, &certain, &appended);
}

#[test]
fn a_second_life_after_a_power_cut_does_not_bring_back_the_first() {
    for seed in 0..12 {
        let disk = SimDisk::new();
        let delta = create(&disk);
        for number in 1..=12 {
            append(&delta, number, len_of(number)).unwrap();
            if number == 4 {
                delta.sync().unwrap();
            }
        }
        let cut = disk.after_power_cut(disk.event_count(), seed);
        let (delta, seen) = open(&cut);
        let kept = seen.len() as u64;
        let mut certain = vec![(cut.event_count(), kept.min(4))];
        let mut appended = vec![(cut.event_count(), kept)];
        for number in kept + 1..=kept + 6 {
            append(&delta, number, len_of(number)).unwrap();
            appended.push((cut.event_count(), number));
        }
        delta.sync().unwrap();
        certain.push((cut.event_count(), kept + 6));
        drop(delta);
        check_everywhere(&cut, &certain, &appended);
    }
}

#[test]
fn creating_is_all_or_nothing_and_durable_when_it_returns() {
    let disk = SimDisk::new();
    drop(create(&disk));
    for seed in 0..50 {
        let cut = disk.after_power_cut(disk.event_count(), seed);
        assert_eq!(open(&cut).1, []);
    }
}

/// Whatever was left of making a delta, it is there or can be made.
#[test]
fn making_a_delta_that_was_cut_short_begins_again() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/sessions")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let first = disk.event_count();
    drop(create(&disk));
    for events in first..=disk.event_count() {
        let cuts = (0..SEEDS).map(|seed| disk.after_power_cut(events, seed)).chain([disk.after_kill(events)]);
        for (seed, left) in cuts.enumerate() {
            let said = format!("{events} events, seed {seed}");
            let there = Delta::exists(&left, &dir()).unwrap();
            assert!(there || events < disk.event_count(), "{said}: a finished delta counts as none");
            let delta = if there { open(&left).0 } else { create(&left) };
            append(&delta, 1, 100).unwrap();
            delta.close().unwrap();
            drop(delta);
            assert!(Delta::exists(&left, &dir()).unwrap(), "{said}");
            assert_eq!(open(&left).1, expected(1, |_| 100), "{said}");
        }
    }
}

/// A log that held a change is damaged when its beginning is, and never begun again.
#[test]
fn a_log_whose_first_frame_is_damaged_is_not_made_anew() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 0).unwrap();
    drop(delta);
    disk.corrupt(&dir().join("log.1"), 50, |bytes| bytes[0] ^= 1);
    assert!(Delta::exists(&disk, &dir()).unwrap());
    assert!(matches!(try_open(&disk, &dir()), Err(DeltaError::Damaged { .. })));
}
