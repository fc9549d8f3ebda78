//! Points in time as the file system stores them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: whole seconds since the Unix epoch (negative before it) plus `0..1_000_000_000` nanoseconds, which
/// always count forward, as in `struct timespec`.
///
/// An inode has four of them, so they are packed to 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub secs: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl Timestamp {
    /// A time from its parts; nanoseconds of a second and more are carried over.
    #[must_use]
    pub fn new(secs: i64, nanos: u32) -> Self {
        Self { secs: secs.saturating_add(i64::from(nanos / 1_000_000_000)), nanos: nanos % 1_000_000_000 }
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::new(i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                let secs = i64::try_from(before.as_secs()).map_or(i64::MIN, |secs| -secs);
                match before.subsec_nanos() {
                    0 => Self::new(secs, 0),
                    nanos => Self::new(secs.saturating_sub(1), 1_000_000_000 - nanos),
                }
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// Times that the platform cannot represent become the epoch.
    fn from(time: Timestamp) -> Self {
        let base = if time.secs >= 0 {
            UNIX_EPOCH.checked_add(Duration::from_secs(time.secs.unsigned_abs()))
        } else {
            UNIX_EPOCH.checked_sub(Duration::from_secs(time.secs.unsigned_abs()))
        };
        base.and_then(|base| base.checked_add(Duration::from_nanos(time.nanos.into()))).unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_survive_the_round_trip() {
        for (secs, nanos) in [(-2, 300_000_000), (-1, 0), (-1, 999_999_999), (0, 1), (4_000_000_000, 5)] {
            let time = Timestamp::new(secs, nanos);
            assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }
    }
}
