//! How many changes the catalog is known to hold, told in a file of its own.
//!
//! SQLite takes a write-ahead log as far as its checksums fit, and what follows as never committed: one flipped bit in
//! it, or the loss of the whole file, gives an older catalog that looks whole. So every transaction counts itself in a
//! row, and the count is written down in `catalog.proof` after the transaction is durable. A catalog that counts fewer
//! changes than that has lost some.
//!
//! What the file says is true when it is written and stays true, because changes that are durable stay. So it need
//! not be synced: an old, torn or missing one says less, but nothing wrong. Written before the transaction it could say
//! too much, and a power cut between the two would make damage of a sound catalog.
//!
//! ```text
//! magic(8) changes(8) checksum(8)
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use xxhash_rust::xxh3::xxh3_64;

use super::Error;

const MAGIC: [u8; 8] = *b"aether\xaeC";
const BYTES: usize = 24;

fn file_of(catalog: &Path) -> PathBuf {
    catalog.with_extension("proof")
}

fn encode(changes: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&changes.to_le_bytes());
    let sum = xxh3_64(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let changes = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    (encode(changes) == bytes).then_some(changes)
}

/// Counts the transaction; returns the number of the change that it is.
pub(super) fn count(transaction: &Connection) -> rusqlite::Result<u64> {
    let sql = "INSERT INTO meta (key, value) VALUES ('changes', 1)
               ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value";
    transaction.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// Writes down that this many changes are durable. A failure is no harm: less is known then.
pub(super) fn write(catalog: &Path, changes: u64) {
    let write = || {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(file_of(catalog))?;
        let mut bytes = [0; BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        // Another command may have come later and been here before.
        if decode(&bytes[..read]).is_some_and(|known| known >= changes) {
            return Ok(());
        }
        file.write_all_at(&encode(changes), 0)
    };
    let written: io::Result<()> = write();
    if let Err(error) = written {
        log::warn!("`{}` could not be written: {error}", file_of(catalog).display());
    }
}

/// What was written down, if that can be told.
pub(super) fn read(catalog: &Path) -> Result<Option<u64>, Error> {
    let path = file_of(catalog);
    match fs::read(&path) {
        Ok(bytes) => Ok(decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path, source }),
    }
}

/// Refuses a catalog that holds fewer changes than `proven`, which was read before the connection looked at anything.
pub(super) fn check(catalog: &Path, connection: &Connection, proven: Option<u64>) -> Result<(), Error> {
    let Some(proven) = proven else { return Ok(()) };
    let sql = "SELECT value FROM meta WHERE key = 'changes'";
    let found: Option<u64> =
        connection.query_row(sql, [], |row| row.get(0)).optional().map_err(|error| Error::sql(catalog, error))?;
    let found = found.unwrap_or(0);
    if found < proven {
        return Err(Error::Lost { path: catalog.to_owned(), found, proven });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_this_one() {
        let bytes = encode(0x0102);
        assert_eq!(bytes[..16], *b"aether\xaeC\x02\x01\0\0\0\0\0\0");
        assert_eq!(decode(&bytes), Some(0x0102));
    }

    #[test]
    fn what_is_torn_says_nothing() {
        let bytes = encode(7);
        for at in 0..BYTES {
            assert_eq!(decode(&bytes[..at]), None);
            let mut flipped = bytes;
            flipped[at] ^= 4;
            assert_eq!(decode(&flipped), None);
        }
    }

    #[test]
    fn an_earlier_change_does_not_hide_a_later_one() {
        let dir = tempfile::TempDir::new().unwrap();
        let catalog = dir.path().join("catalog.db");
        write(&catalog, 9);
        write(&catalog, 8);
        assert_eq!(read(&catalog).unwrap(), Some(9));
    }
}
