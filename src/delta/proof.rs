//! How far the log is known to be durable, told in a file of its own.
//!
//! A log that ends early looks like one with a torn tail, and one that is not there like a delta that was never made.
//! So from time to time it is written down beside it which log counts and up to where it is durable. That is
//! always true when it is written and never stops being true, because logs only grow, and only a newer one replaces one: the
//! file need not be synced, and an old, torn or missing one says less, but nothing wrong.
//!
//! It also keeps the log's salt, without which no frame of a log can be told to be right whose first bytes were lost.
//!
//! ```text
//! magic(8) number of the log(4) 0(4) durable end(8) checksum(8) salt(8) checksum of number and salt(8)
//! ```
//!
//! The last two are not there in what an older version wrote, or where the salt was not known.

use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::disk::{Disk, Open};

const MAGIC: [u8; 8] = *b"aether\xaeP";
const BYTES: usize = 32;
const ALL_BYTES: usize = 48;

/// What is known of the log that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub number: u32,
    pub end: u64,
    pub salt: Option<u64>,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("proof")
}

impl Proof {
    fn encode(self) -> [u8; ALL_BYTES] {
        let mut bytes = [0; ALL_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.end.to_le_bytes());
        let sum = xxh3_64(&bytes[..24]);
        bytes[24..32].copy_from_slice(&sum.to_le_bytes());
        if let Some(salt) = self.salt {
            bytes[32..40].copy_from_slice(&salt.to_le_bytes());
            bytes[40..].copy_from_slice(&salt_sum(self.number, salt).to_le_bytes());
        }
        bytes
    }

    /// `None` if the first part is not as it was written; the salt has a checksum of its own.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let number = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?);
        let proof = Self { number, end: word(16)?, salt: None };
        let salt = word(32).filter(|salt| word(40) == Some(salt_sum(number, *salt)));
        (proof.encode()[..BYTES] == bytes[..BYTES]).then_some(Self { salt, ..proof })
    }

    /// Writes it down.
    pub fn write(self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        disk.open(&path(dir), Open::CreateOrWrite)?.write_at(0, &[&self.encode()])
    }

    /// What was written down, if that can be told.
    pub fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Self>> {
        let mut bytes = [0; ALL_BYTES];
        match disk.open(&path(dir), Open::Read) {
            Ok(file) => {
                let read = file.read_at(0, &mut bytes)?;
                Ok(if read >= BYTES { Self::decode(&bytes[..read]) } else { None })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn salt_sum(number: u32, salt: u64) -> u64 {
    xxh3_64_with_seed(&salt.to_le_bytes(), number.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_this_one_and_an_older_one_is_read() {
        let proof = Proof { number: 2, end: 0x0103, salt: Some(7) };
        let bytes = proof.encode();
        assert_eq!(bytes[..24], *b"aether\xaeP\x02\0\0\0\0\0\0\0\x03\x01\0\0\0\0\0\0");
        assert_eq!(bytes[32..40], [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Proof::decode(&bytes), Some(proof));
        let older = Some(Proof { salt: None, ..proof });
        assert_eq!(Proof::decode(&bytes[..BYTES]), older);
        for at in 0..ALL_BYTES {
            let mut flipped = bytes;
            flipped[at] ^= 4;
            assert_eq!(Proof::decode(&flipped), if at < BYTES { None } else { older }, "byte {at}");
        }
    }
}
