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

/// What is written stays readable by later versions: who changes this changes the format's number.
#[test]
fn the_log_is_encoded_as_it_always_was() {
    let disk = SimDisk::new();
    let delta = create(&disk);
    append(&delta, 1, 5000).unwrap();
    delta.sync().unwrap();
    append(&delta, 2, 5).unwrap();
    let bytes = disk.bytes(&dir().join("log.1")).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let want = [
        "616574686572ae4c0200000001000000070000000000000001000000000000000000000000000000db741301079426ea",
        "ae4672010300000000000000030000000100000000000000db741301079426ead8d1554182dfc4cb300000",
        "ae4672011800000000000000010000000200000000000000d8d1554182dfc4cb754728c9fd6a771c010200882767d784",
        "222fb2dfb60801040100882702000202",
        "ae4672010400000000000000040000000300000000000000754728c9fd6a771c902f89bcf4ca9d0e9b015b00",
        "ae4672011000000005000000010000000400000000000000902f89bcf4ca9d0e30f25ada331eda1f3e454c535a666c1e",
        "470008020402000501ef010202",
    ];
    assert_eq!(hex, want.concat());
}
