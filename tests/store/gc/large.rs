//! A large store of which half is dead.
//!
//! `AETHER_TEST_CHUNKS=1000000` asks for the size that the program is meant for; without it the store is small.

use std::time::{Duration, Instant};

use aether::model::{Manifest, Node, ObjectId, Part, PartRef};
use aether::store::StoreError;
use aether::store::gc::Options;
use tempfile::tempdir;

use crate::store::{noise, open};

const CHUNK_BYTES: usize = 256;
const PARTS: usize = 1000;

/// The most memory that this process ever had resident, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
#[allow(clippy::disallowed_macros)]
fn half_of_a_large_store_is_collected_in_bounded_time_and_memory() {
    #[allow(clippy::disallowed_methods)]
    let chunks = std::env::var("AETHER_TEST_CHUNKS").map_or(20_000, |count| count.parse::<u64>().unwrap());
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let hold = store.hold().unwrap();
    let writer = hold.writer().unwrap();
    let mut manifests: [Vec<ObjectId>; 2] = Default::default();
    let mut parts: [Vec<Part>; 2] = Default::default();
    for number in 0..chunks {
        // Next to each chunk that lives lies one that dies, so that no pack goes as a whole.
        let side = (number % 2) as usize;
        let id = writer.put_chunk(&noise(number + 1, CHUNK_BYTES)).unwrap();
        parts[side].push(Part { target: PartRef::Chunk(id), len_bytes: CHUNK_BYTES as u64 });
        if parts[side].len() == PARTS || number + 2 >= chunks {
            let manifest = Manifest { parts: std::mem::take(&mut parts[side]) };
            manifests[side].push(writer.put_node(&Node::Manifest(manifest)).unwrap().0);
        }
    }
    writer.finish().unwrap();
    drop(hold);
    let [alive, dead] = manifests;
    let before = store.stats().unwrap();
    let (started, memory) = (Instant::now(), peak_bytes());
    let mut roots = |_| Ok::<_, StoreError>(alive.clone());
    let done = store.collect(&mut roots, &Options::default(), &()).unwrap();
    let (took, grown) = (started.elapsed(), peak_bytes() - memory);
    println!(
        "{chunks} chunks, {} bytes: collected in {took:.2?}, {} bytes freed, the peak of memory grew by {} MiB",
        before.stored_bytes,
        done.freed_bytes(),
        grown >> 20
    );
    assert!(done.freed_bytes() * 5 > before.stored_bytes * 2, "{done:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(grown < (128 << 20) + chunks * 96, "{grown} bytes");
    assert!(alive.iter().all(|id| store.contains(*id).unwrap()));
    assert!(!dead.iter().any(|id| store.contains(*id).unwrap()));
}
