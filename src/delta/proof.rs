//! How far the log is known to be durable, told in a file of its own.
//!
//! A log that ends early looks like one with a torn tail, and one that is not there like a delta that was never made.
//! So from time to time it is written down beside it which log counts and up to where it is durable. That is
//! always true when it is written and never stops being true, because logs only grow, and only a newer one replaces one: the
//! file need not be synced, and an old, torn or missing one says less, but nothing wrong.
//!
//! ```text
//! magic(8) number of the log(4) 0(4) durable end(8) checksum(8)
//! ```

use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{Disk, Open};

const MAGIC: [u8; 8] = *b"aether\xaeP";
const BYTES: usize = 32;

/// What is known of the log that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub number: u32,
    pub end: u64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("proof")
}

impl Proof {
    fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.end.to_le_bytes());
        let sum = xxh3_64(&bytes[..24]);
        bytes[24..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let (number, end) = (bytes[8..12].try_into().ok()?, bytes[16..24].try_into().ok()?);
        let proof = Self { number: u32::from_le_bytes(number), end: u64::from_le_bytes(end) };
        (proof.encode() == *bytes).then_some(proof)
    }

    /// Writes it down.
    pub fn write(self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        disk.open(&path(dir), Open::CreateOrWrite)?.write_at(0, &[&self.encode()])
    }

    /// What was written down, if that can be told.
    pub fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Self>> {
        let mut bytes = [0; BYTES];
        match disk.open(&path(dir), Open::Read) {
            Ok(file) => Ok(if file.read_at(0, &mut bytes)? == BYTES { Self::decode(&bytes) } else { None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
