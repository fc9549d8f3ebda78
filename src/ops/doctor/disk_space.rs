//! Room on the data directory's disk.

use std::path::Path;

use super::{Finding, nearest_existing};

const NAME: &str = "disk-space";

/// Below this many bytes writes in sessions are about to fail.
const LOW_BYTES: u64 = 1 << 30;

/// Below this many bytes even a small command may fail.
const FULL_BYTES: u64 = 16 << 20;

pub(super) fn check(data: &Path) -> Finding {
    let at = nearest_existing(data);
    let found = match rustix::fs::statvfs(at) {
        Ok(found) => found,
        Err(error) => {
            return Finding::failed(NAME, format!("`{}`: {error}", at.display()), "make the directory usable");
        }
    };
    let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
    let sentence = format!("{} MiB are free for `{}`", free_bytes >> 20, data.display());
    let remedy = "free some space, or point AETHER_HOME at a larger disk";
    match (free_bytes, found.f_favail, found.f_files) {
        (..FULL_BYTES, ..) => Finding::failed(NAME, sentence, remedy),
        (..LOW_BYTES, ..) => Finding::warning(NAME, sentence, remedy),
        // Some file systems have no fixed number of inodes and report none at all.
        (_, 0, 1..) => Finding::failed(NAME, "the disk has no inodes left", "remove files that are not needed"),
        _ => Finding::good(NAME, sentence),
    }
}
