//! When syncs happen, in what order, and who shares them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aether::disk::SimDisk;
use aether::disk::sim::Event;
use aether::overlay::Upper;

use super::scene::{append, create, expected, open};

fn is_sync_of(event: &Event, name: &str) -> bool {
    matches!(event, Event::SyncData { path, done: true, .. } if path.to_string_lossy().contains(name))
}

#[test]
fn data_is_synced_before_the_log_and_new_names_before_the_mark() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 5000).unwrap();
    let before = disk.event_count();
    delta.sync().unwrap();
    let events = disk.events().split_off(before);
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let data = at(&|event| is_sync_of(event, "data."));
    let names = at(&|event| matches!(event, Event::SyncDir { .. }));
    let mark = at(&|event| matches!(event, Event::Write { .. }));
    let log = at(&|event| is_sync_of(event, "log."));
    assert!(data < mark && names < mark && mark < log, "{events:?}");
}

#[test]
fn a_small_payload_soon_after_a_sync_needs_one_write_and_one_sync() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 0).unwrap();
    delta.sync().unwrap();
    append(&delta, 2, 500).unwrap();
    let before = disk.event_count();
    append(&delta, 3, 500).unwrap();
    assert_eq!(disk.event_count() - before, 1);
    delta.sync().unwrap();
    let syncs = disk.events().split_off(before);
    assert_eq!(syncs.iter().filter(|event| matches!(event, Event::SyncData { .. })).count(), 1);
}

#[test]
fn nothing_is_synced_twice() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 5000).unwrap();
    delta.sync().unwrap();
    let before = disk.event_count();
    delta.sync().unwrap();
    assert_eq!(disk.event_count(), before);
}

#[test]
fn those_who_ask_at_the_same_time_share_a_sync() {
    let disk = SimDisk::new();
    let delta = Arc::new(create(&disk));
    disk.set_sync_time(Duration::from_millis(40));
    std::thread::scope(|scope| {
        for number in 1..=16 {
            let delta = &delta;
            scope.spawn(move || {
                append(delta, number, 0).unwrap();
                delta.sync().unwrap();
            });
        }
    });
    let syncs = delta.stats().unwrap().syncs;
    assert!((1..=4).contains(&syncs), "{syncs} syncs");
}

#[test]
fn the_flusher_syncs_without_being_asked_and_then_sleeps() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    delta.start_flusher(|| {}).unwrap();
    append(&delta, 1, 5000).unwrap();
    let start = Instant::now();
    while delta.stats().unwrap().syncs == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "it was never synced");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    let calls = disk.calls();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(disk.calls(), calls, "it does something without need");
    for seed in 0..10 {
        assert_eq!(open(&disk.after_power_cut(disk.event_count(), seed)).1, expected(1, |_| 5000));
    }
}

#[test]
fn a_batch_between_a_sync_and_its_mark_is_not_taken_for_durable() {
    let disk = SimDisk::new();
    let delta = Arc::new(create(&disk));
    append(&delta, 1, 5000).unwrap();
    disk.set_sync_time(Duration::from_millis(60));
    let syncing = {
        let delta = Arc::clone(&delta);
        std::thread::spawn(move || delta.sync().unwrap())
    };
    std::thread::sleep(Duration::from_millis(20));
    append(&delta, 2, 5000).unwrap();
    syncing.join().unwrap();
    for seed in 0..60 {
        let (_, seen) = open(&disk.after_power_cut(disk.event_count(), seed));
        assert_eq!(seen, expected(seen.len() as u64, |_| 5000), "seed {seed}");
        assert!(!seen.is_empty());
    }
    delta.sync().unwrap();
    for seed in 0..60 {
        assert_eq!(open(&disk.after_power_cut(disk.event_count(), seed)).1.len(), 2, "seed {seed}");
    }
}
