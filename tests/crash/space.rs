//! Giving back space.

use aether::disk::SimDisk;
use aether::disk::sim::Event;
use aether::model::Place;
use aether::overlay::Upper;

use super::scene::{append, create, dir, open, payload_of};

fn punched(disk: &SimDisk) -> Vec<(u64, u64)> {
    let holes = disk.events().into_iter().filter_map(|event| match event {
        Event::Punch { offset, len_bytes, .. } => Some((offset, offset + len_bytes)),
        _ => None,
    });
    holes.collect()
}

#[test]
fn only_whole_pages_of_dead_ranges_are_punched_and_only_after_a_sync() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let places: Vec<Place> = (1..=10).map(|number| append(&delta, number, 3000).unwrap().unwrap()).collect();
    for place in &places[2..8] {
        delta.release(&[(*place, 3000)]);
    }
    assert_eq!(punched(&disk), []);
    delta.sync().unwrap();
    append(&delta, 11, 0).unwrap();
    delta.sync().unwrap();
    let holes = punched(&disk);
    let inside: u64 = holes.iter().map(|(from, upto)| upto - from).sum();
    assert_eq!(inside, 3 * 4096, "pages 2 to 4 of bytes 6000 to 24000: {holes:?}");
    assert!(holes.iter().all(|(from, upto)| *from >= 6000 && *upto <= 24000), "{holes:?}");
    let mut bytes = vec![0; 3000];
    for (number, place) in places.iter().enumerate().filter(|(at, _)| !(2..8).contains(at)) {
        delta.read(*place, &mut bytes).unwrap();
        assert_eq!(bytes, payload_of(number as u64 + 1, 3000));
    }
}

#[test]
fn what_a_reader_has_pinned_stays() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let place = append(&delta, 1, 8192).unwrap().unwrap();
    append(&delta, 2, 8192).unwrap();
    let pin = delta.pin();
    delta.release(&[(place, 8192)]);
    for number in 3..6 {
        append(&delta, number, 0).unwrap();
        delta.sync().unwrap();
    }
    let mut bytes = vec![0; 8192];
    delta.read(place, &mut bytes).unwrap();
    assert_eq!(bytes, payload_of(1, 8192));
    drop(pin);
    append(&delta, 6, 0).unwrap();
    delta.sync().unwrap();
    assert_eq!(punched(&disk), [(0, 8192)]);
}

#[test]
fn an_early_reader_also_keeps_what_died_in_later_rounds() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let places: Vec<Place> = (1..=3).map(|number| append(&delta, number, 4096).unwrap().unwrap()).collect();
    let pin = delta.pin();
    for (round, place) in places[..2].iter().enumerate() {
        delta.release(&[(*place, 4096)]);
        append(&delta, 10 + round as u64, 0).unwrap();
        delta.sync().unwrap();
        drop(delta.pin());
    }
    assert_eq!(punched(&disk), []);
    drop(pin);
    append(&delta, 20, 0).unwrap();
    delta.sync().unwrap();
    assert_eq!(punched(&disk).len(), 2);
}

#[test]
fn a_segment_with_nothing_left_is_removed_and_not_missed() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let mut dead = Vec::new();
    for number in 1..=30 {
        let place = append(&delta, number, 8192).unwrap().unwrap();
        dead.push((place, 8192));
    }
    delta.release(&dead[..16]);
    let mut certain = Vec::new();
    for number in 31..=34 {
        append(&delta, number, 0).unwrap();
        delta.sync().unwrap();
        certain.push(disk.event_count());
    }
    drop(delta);
    assert!(disk.bytes(&dir().join("data.2")).is_none());
    assert!(disk.bytes(&dir().join("data.3")).is_none());
    for events in certain[0]..=disk.event_count() {
        for seed in 0..20 {
            let image = disk.after_power_cut(events, seed);
            let opened = aether::delta::Delta::open(
                &super::scene::shared(&image),
                &dir(),
                super::scene::settings(),
                &mut |_| Ok(()),
            );
            let delta = opened.unwrap_or_else(|error| panic!("cut after {events}, seed {seed}: {error}"));
            let mut bytes = vec![0; 8192];
            for (number, (place, _)) in dead.iter().enumerate().skip(16) {
                delta.read(*place, &mut bytes).unwrap();
                assert_eq!(bytes, payload_of(number as u64 + 1, 8192));
            }
        }
    }
}

#[test]
fn a_power_cut_never_finds_a_hole_in_what_the_found_state_refers_to() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let mut current: Option<Place> = None;
    let first = disk.event_count();
    for number in 1..=24 {
        let place = append(&delta, number, 4096).unwrap().unwrap();
        if let Some(old) = current.replace(place) {
            delta.release(&[(old, 4096)]);
        }
        if number % 5 == 0 {
            delta.sync().unwrap();
        }
    }
    drop(delta);
    for events in first..=disk.event_count() {
        for seed in 0..8 {
            let image = disk.after_power_cut(events, seed);
            let mut last = None;
            let delta = aether::delta::Delta::open(
                &super::scene::shared(&image),
                &dir(),
                super::scene::settings(),
                &mut |records| {
                    last = records.last().cloned();
                    Ok(())
                },
            )
            .unwrap();
            let Some(aether::model::Record::Write { ino, place, .. }) = last else { continue };
            let mut bytes = vec![0; 4096];
            delta.read(place, &mut bytes).unwrap();
            assert_eq!(bytes, payload_of(ino, 4096), "cut after {events}, seed {seed}");
        }
    }
}

#[test]
fn what_an_open_does_not_keep_is_given_back() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    let places: Vec<Place> = (1..=4).map(|number| append(&delta, number, 8192).unwrap().unwrap()).collect();
    delta.close().unwrap();
    drop(delta);
    let (delta, _) = open(&disk);
    delta.keep_only([(places[2], 8192), (places[0], 8192)]).unwrap();
    append(&delta, 5, 0).unwrap();
    delta.sync().unwrap();
    assert_eq!(punched(&disk), [(8192, 16384), (24576, 32768)]);
    assert_eq!(delta.stats().unwrap().dead_bytes, 0);
}
