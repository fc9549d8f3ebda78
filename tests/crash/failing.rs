//! A disk whose n-th call fails.

use aether::delta::Delta;
use aether::disk::sim::{Fault, Op};
use aether::disk::{SimDisk, errno};
use aether::overlay::Upper;
use rustix::io::Errno;

use super::scene::{Seen, append, create, dir, open, payload_of, settings, shared};

fn len_of(number: u64) -> usize {
    [0, 300, 5000, 0, 900][number as usize % 5]
}

fn seen(number: u64) -> Seen {
    Seen { number, payload: Some(payload_of(number, len_of(number))).filter(|bytes| !bytes.is_empty()) }
}

/// Appends and syncs with the fault planned; returns the batches that were acknowledged, and those that a sync returned for.
fn run(disk: &SimDisk, fault: Fault) -> (Vec<u64>, Vec<u64>) {
    let delta = create(disk);
    disk.fail(fault);
    let (mut done, mut durable) = (Vec::new(), Vec::new());
    for number in 1..=20 {
        match append(&delta, number, len_of(number)) {
            Ok(_) => done.push(number),
            Err(error) => assert_eq!(errno(&error), fault.errno),
        }
        if number % 4 == 0 {
            match delta.sync() {
                Ok(()) => durable.clone_from(&done),
                Err(error) => assert_eq!(errno(&error), fault.errno),
            }
        }
    }
    (done, durable)
}

#[test]
fn no_failing_call_loses_what_was_acknowledged_or_brings_what_was_refused() {
    for errno in [Errno::IO, Errno::NOSPC] {
        for count in [1, 2] {
            for after in 0..80 {
                let disk = SimDisk::new();
                let fault = Fault { op: None, after, count, errno: errno.raw_os_error() };
                let (done, durable) = run(&disk, fault);
                disk.heal();
                let killed = disk.after_kill(disk.event_count());
                let wanted: Vec<Seen> = done.iter().map(|number| seen(*number)).collect();
                assert_eq!(open(&killed).1, wanted, "{errno:?} at call {after}, killed");
                for seed in 0..4 {
                    let cut = disk.after_power_cut(disk.event_count(), seed);
                    let (_, found) = open(&cut);
                    assert_eq!(found, wanted[..found.len()], "{errno:?} at call {after}, power cut {seed}");
                    assert!(found.len() >= durable.len(), "{errno:?} at call {after}, power cut {seed}: lost synced");
                }
            }
        }
    }
}

#[test]
fn an_open_that_fails_at_any_call_harms_nothing() {
    let disk = SimDisk::new();
    let (done, _) = run(&disk, Fault { op: None, after: 1000, count: 0, errno: 5 });
    let wanted: Vec<Seen> = done.iter().map(|number| seen(*number)).collect();
    for after in 0..60 {
        let copy = disk.after_power_cut(disk.event_count(), after);
        let least = copy.after_kill(copy.event_count());
        let expected = open(&least).1;
        copy.fail(Fault { op: None, after, count: 1, errno: Errno::IO.raw_os_error() });
        let _ = Delta::open(&shared(&copy), &dir(), settings(), &mut |_| Ok(()));
        copy.heal();
        assert_eq!(open(&copy).1, expected);
        assert_eq!(expected, wanted[..expected.len()]);
    }
}

#[test]
fn after_a_failed_sync_of_data_a_later_one_writes_it_again() {
    for op_after in 0..3 {
        let disk = SimDisk::new();
        let delta = create(&disk);
        append(&delta, 1, 5000).unwrap();
        append(&delta, 2, 0).unwrap();
        disk.fail(Fault { op: Some(Op::SyncData), after: op_after, count: 1, errno: Errno::IO.raw_os_error() });
        let mut failed = 0;
        while let Err(error) = delta.sync() {
            assert_eq!(errno(&error), Errno::IO.raw_os_error());
            failed += 1;
            assert!(failed < 3);
        }
        assert_eq!(failed, u64::from(op_after < 2));
        for seed in 0..40 {
            let (_, found) = open(&disk.after_power_cut(disk.event_count(), seed));
            assert_eq!(found.len(), 2, "sync {op_after} failed, seed {seed}");
        }
    }
}

#[test]
fn bytes_that_changed_after_a_failed_sync_are_never_called_durable() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 5000).unwrap();
    disk.fail(Fault { op: Some(Op::SyncData), after: 0, count: 1, errno: Errno::IO.raw_os_error() });
    delta.sync().unwrap_err();
    disk.corrupt(&dir().join("data.2"), 100, |bytes| bytes[0] ^= 1);
    for _ in 0..3 {
        delta.sync().unwrap_err();
    }
}

#[test]
fn a_staged_write_whose_sync_failed_is_written_again_too() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let bytes = payload_of(1, 6000);
    let place = delta.stage(&bytes).unwrap();
    append(&delta, 7, 0).unwrap();
    disk.fail(Fault { op: Some(Op::SyncData), after: 0, count: 1, errno: Errno::IO.raw_os_error() });
    delta.sync().unwrap_err();
    let time = super::scene::TIME;
    let write = aether::model::Record::Write { ino: 1, offset: 0, len_bytes: 6000, place, time };
    delta.append(&[aether::model::Record::Drop { ino: 1 }, write], None).unwrap();
    delta.sync().unwrap();
    for seed in 0..40 {
        let (_, found) = open(&disk.after_power_cut(disk.event_count(), seed));
        assert_eq!(found[1], Seen { number: 1, payload: Some(bytes.clone()) }, "seed {seed}");
    }
}

#[test]
fn on_a_full_disk_changes_without_payload_go_on_and_all_do_once_there_is_space() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 0).unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 40_000));
    let mut number = 1;
    let full = loop {
        number += 1;
        if let Err(error) = append(&delta, number, 3000) {
            break error;
        }
    };
    assert_eq!(errno(&full), Errno::NOSPC.raw_os_error());
    assert_eq!(errno(&delta.stage(&[1; 8000]).unwrap_err()), Errno::NOSPC.raw_os_error());
    let written = number - 1;
    for more in 0..100 {
        append(&delta, written + 1 + more, 0).unwrap();
    }
    delta.sync().unwrap();
    disk.set_capacity(None);
    append(&delta, written + 101, 3000).unwrap();
    delta.sync().unwrap();
    drop(delta);
    let (_, found) = open(&disk.after_power_cut(disk.event_count(), 3));
    let numbers: Vec<u64> = found.iter().map(|seen| seen.number).collect();
    assert_eq!(numbers, (1..=written + 101).collect::<Vec<_>>());
}
