//! The numbers that decide how a delta behaves. All have defaults; tests choose others.

use std::time::Duration;

/// How a delta behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Mixed into every checksum of a log made from now on, so that bytes which someone wrote into a file can never pass
    /// for a frame of the log. Should be random.
    pub salt: u64,
    /// A data segment is followed by a new one when it would grow beyond this.
    pub segment_bytes: u64,
    /// Payloads up to this length may lie in the log itself; see `inline_appends`.
    pub inline_bytes: usize,
    /// After a sync that someone asked for, this many appends put small payloads into the log itself, so that the
    /// next sync has one file to write.
    pub inline_appends: u32,
    /// How long after the first change that is not durable the flusher makes it so.
    pub flush_delay: Duration,
    /// Disk space that is kept free in the log for changes without payload, for when the disk is full.
    pub reserve_bytes: u64,
    /// A log shorter than this is never worth rewriting.
    pub rewrite_min_bytes: u64,
    /// Whether the delta is opened right after the process that had it open died, or let it go, and the machine went on:
    /// what it wrote is in the page cache, so that the data behind the last sync mark need not be read to be believed.
    pub same_boot: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            salt: getrandom::u64().unwrap_or(0x6165_7468_6572),
            segment_bytes: 512 << 20,
            inline_bytes: 32 << 10,
            inline_appends: 1024,
            // The promise is five seconds; one of them is left to the disk.
            flush_delay: Duration::from_secs(4),
            reserve_bytes: 1 << 20,
            rewrite_min_bytes: 16 << 20,
            same_boot: false,
        }
    }
}
