//! Without any faults: what was appended is found again.

use aether::delta::DeltaError;
use aether::disk::SimDisk;
use aether::overlay::Upper;

use super::scene::{append, create, dir, expected, open, try_open};

fn len_of(number: u64) -> usize {
    [0, 100, 5000, 4096, 700][number as usize % 5]
}

#[test]
fn what_was_appended_is_found_in_order() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    for number in 1..=40 {
        append(&delta, number, len_of(number)).unwrap();
        if number % 7 == 0 {
            delta.sync().unwrap();
        }
    }
    drop(delta);
    let (delta, seen) = open(&disk);
    assert_eq!(seen, expected(40, len_of));
    for number in 41..=50 {
        append(&delta, number, len_of(number)).unwrap();
    }
    delta.close().unwrap();
    drop(delta);
    assert_eq!(open(&disk).1, expected(50, len_of));
}

#[test]
fn a_second_opener_is_told_that_it_is_busy() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    assert!(matches!(try_open(&disk, &dir()), Err(DeltaError::Busy { .. })));
    drop(delta);
    assert!(try_open(&disk, &dir()).is_ok());
}
