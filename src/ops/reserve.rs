//! Disk space that is kept for the commands that give space back: on a disk without a block left even deleting needs some,
//! for the log of the catalog.
//!
//! It is an empty file in the data directory that blocks are set aside for. Commands that delete take it away when the disk is full, imports and
//! collections make it again when there is room. It is best effort: no command fails because of it. Space that a quota
//! takes away cannot be seen, and is not made up for.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::disk::{Disk, RealDisk};

/// What is kept. The log of the catalog is folded back before it takes a megabyte; the index of the store has one, too.
const BYTES: u64 = 2 << 20;

/// With less than this on the disk, nothing is kept from those who need it.
const LEAST_AVAILABLE_BYTES: u64 = 8 * BYTES;

/// Gives the disk what was kept, if it has less than that.
pub(super) fn lend(data: &Path) {
    if available(data).is_some_and(|bytes| bytes < BYTES) {
        let _there_was_none = fs::remove_file(place(data));
    }
}

/// Keeps space again, if it is not kept already and there is enough.
pub(super) fn keep(data: &Path) {
    let place = place(data);
    if place.exists() || available(data).is_none_or(|bytes| bytes < LEAST_AVAILABLE_BYTES) {
        return;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place);
    // A file system that cannot promise space has nothing to keep.
    if made.is_ok_and(|file| fallocate(&file, FallocateFlags::KEEP_SIZE, 0, BYTES).is_err()) {
        let _gone = fs::remove_file(&place);
    }
    let _best_effort = RealDisk.sync_dir(data);
}

fn place(data: &Path) -> PathBuf {
    data.join("reserve")
}

/// Bytes that whoever asks may still use.
fn available(data: &Path) -> Option<u64> {
    let space = RealDisk.space(data).ok()?;
    Some(space.blocks_available.saturating_mul(u64::from(space.block_bytes)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn space_is_kept_once_and_not_lent_while_there_is_some() {
        let dir = tempfile::TempDir::new().unwrap();
        for _ in 0..2 {
            keep(dir.path());
            lend(dir.path());
            let found = fs::metadata(place(dir.path())).unwrap();
            assert_eq!((found.len(), found.mode() & 0o777), (0, 0o600));
            assert!(found.blocks() * 512 >= BYTES, "it takes the space that it keeps");
        }
    }
}
