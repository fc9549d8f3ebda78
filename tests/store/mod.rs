//! The content-addressed store, from the outside.

mod content;
mod damage;
mod faults;
mod gc;
mod golden;
mod holds;
mod round_trip;
mod threads;
mod tree;
mod verify;

use std::path::Path;
use std::sync::Arc;

use aether::disk::RealDisk;
use aether::store::{Store, StoreOptions};

/// The store in a directory.
fn open(dir: &Path) -> Store {
    Store::open(Arc::new(RealDisk), dir, StoreOptions::default()).unwrap()
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
