//! What can be read of a delta whose log is damaged before its end.

use aether::delta::{DeltaError, Gap, Part, Salvage, salvage};
use aether::disk::SimDisk;
use aether::model::Record;
use aether::overlay::Upper;

use super::scene::{append, create, dir, expected, open, payload_of, shared, try_open};

const COUNT: u64 = 30;

fn len_of(number: u64) -> usize {
    [300, 4096, 0, 1, 9000, 700][number as usize % 6]
}

fn written() -> SimDisk {
    let disk = SimDisk::new();
    let delta = create(&disk);
    for number in 1..=COUNT {
        append(&delta, number, len_of(number)).unwrap();
        if number % 7 == 0 {
            delta.sync().unwrap();
        }
    }
    delta.close().unwrap();
    disk
}

fn log() -> std::path::PathBuf {
    dir().join("log.1")
}

/// What is found, and the numbers of the batches, all of whose bytes have to be right.
fn read(disk: &SimDisk, say: &str) -> (Salvage, Vec<u64>, Vec<u64>) {
    let mut batches = Vec::new();
    let found = salvage(&shared(disk), &dir(), &mut |part, records| batches.push((part, records))).unwrap();
    let (mut whole, mut later) = (Vec::new(), Vec::new());
    for (part, records) in batches {
        let [Record::Drop { ino }, rest @ ..] = &records[..] else { panic!("{say}: {records:?}") };
        for record in rest {
            let Record::Write { place, len_bytes, .. } = record else { panic!("{say}: {record:?}") };
            let mut bytes = vec![0; *len_bytes as usize];
            found.data.read(*place, &mut bytes).unwrap_or_else(|error| panic!("{say}: {error}"));
            assert!(bytes == payload_of(*ino, len_of(*ino)), "{say}: wrong bytes of {ino}");
        }
        match part {
            Part::Whole => whole.push(*ino),
            Part::Later => later.push(*ino),
        }
    }
    (found, whole, later)
}

#[test]
fn wherever_the_log_is_damaged_all_before_and_all_behind_is_found_and_the_gap_is_told() {
    let disk = written();
    let len = disk.bytes(&log()).unwrap().len();
    assert!(len > 3_000);
    let (mut refused, mut in_the_middle) = (0, 0);
    // From the first frame behind the empty state on.
    for at in (140..len).step_by(7) {
        let harmed = disk.after_kill(disk.event_count());
        harmed.corrupt(&log(), at, |bytes| bytes[0] ^= 0x10);
        let before = (harmed.bytes(&log()), harmed.event_count());
        let say = format!("byte {at} of {len}");
        let (found, whole, later) = read(&harmed, &say);
        assert!(before == (harmed.bytes(&log()), harmed.event_count()), "{say}: something was written");
        let Salvage { has_state, whole: whole_count, later: later_count, gaps, data, .. } = found;
        drop(data);
        match try_open(&harmed, &dir()) {
            // It was never promised.
            Ok(_) => continue,
            Err(DeltaError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{say}: {error}"),
        }
        assert!(has_state, "{say}");
        assert_eq!(whole, (1..=whole.len() as u64).collect::<Vec<_>>(), "{say}");
        assert_eq!((whole_count, later_count), (whole.len() as u64, later.len() as u64), "{say}");
        let lost = COUNT as usize - whole.len() - later.len();
        assert!(lost <= 1, "{say}: one frame is hit, {lost} batches are lost");
        let first_later = whole.len() as u64 + lost as u64 + 1;
        assert_eq!(later, (first_later..=COUNT).collect::<Vec<_>>(), "{say}");
        let [Gap { from, upto, entries }] = gaps[..] else { panic!("{say}: {gaps:?}") };
        assert!(from <= at as u64 && (at as u64) < upto && entries.is_none_or(|entries| entries == 1), "{say}");
        in_the_middle += usize::from(entries == Some(1) && lost == 1);
    }
    assert!(refused > 300 && in_the_middle > 200, "{refused} {in_the_middle}");
}

#[test]
fn a_log_whose_header_is_lost_is_read_by_the_salt_that_is_kept_beside_it() {
    for lost in [0..1, 3..4, 9..10, 12..13, 16..24, 25..26, 40..48, 0..48] {
        let disk = written();
        disk.corrupt(&log(), 0, |bytes| bytes[lost.clone()].iter_mut().for_each(|byte| *byte ^= 0x21));
        let say = format!("bytes {lost:?}");
        assert!(matches!(try_open(&disk, &dir()), Err(DeltaError::Damaged { .. })), "{say}");
        let (found, whole, later) = read(&disk, &say);
        assert!(found.has_state && later.is_empty() && found.gaps.is_empty(), "{say}: {found:?}");
        assert_eq!(whole, (1..=COUNT).collect::<Vec<_>>(), "{say}");
    }
}

#[test]
fn a_log_whose_first_block_is_lost_gives_what_is_behind_it() {
    let disk = written();
    disk.corrupt(&log(), 0, |bytes| bytes[..512].fill(0));
    let (found, whole, later) = read(&disk, "the first block");
    assert!(!found.has_state && whole.is_empty(), "{found:?}");
    assert!(later.len() as u64 > COUNT / 2 && later.last() == Some(&COUNT), "{later:?}");
    let first = *later.first().unwrap();
    assert_eq!(later, (first..=COUNT).collect::<Vec<_>>());
    assert!(matches!(found.gaps[..], [Gap { from: 48, entries: None, .. }]), "{found:?}");
}

#[test]
fn of_a_delta_without_a_log_or_its_salt_nothing_is_claimed() {
    let disk = written();
    disk.corrupt(&log(), 20, |bytes| bytes[0] ^= 1);
    disk.corrupt(&dir().join("proof"), 33, |bytes| bytes[0] ^= 1);
    let (found, whole, later) = read(&disk, "the salt");
    assert!(!found.has_state && whole.is_empty() && later.is_empty(), "{found:?}");
}

#[test]
fn a_delta_that_is_sound_is_found_whole() {
    let disk = written();
    let (found, whole, later) = read(&disk, "sound");
    assert!(found.has_state && found.gaps.is_empty() && later.is_empty(), "{found:?}");
    assert_eq!(whole.len() as u64, COUNT);
    drop(found);
    assert_eq!(open(&disk).1, expected(COUNT, len_of));
}
