//! Attributes as the delta holds them: one set for every inode, so each byte counts.
//!
//! Times of the years from 1697 to 2242 fit into 8 bytes each, and few inodes are devices. What does not fit is told in
//! full, elsewhere.

use crate::model::{Attr, Ino, Kind, Timestamp};

/// Attributes in 64 bytes instead of 88.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub ino: Ino,
    pub size: u64,
    atime: Time,
    mtime: Time,
    ctime: Time,
    btime: Time,
    uid: u32,
    gid: u32,
    pub nlink: u32,
    /// The code of the kind above 12 bits of permissions.
    mode: u16,
}

/// What of some attributes does not fit.
#[derive(Clone, Debug)]
pub(super) struct Wide {
    times: [Timestamp; 4],
    rdev: u32,
}

/// A time: seconds with an offset that makes them positive, above the bits of the nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Time(u64);

const NANOS_BITS: u32 = 30;
const SECS_OFFSET: i64 = 1 << (63 - NANOS_BITS);
const PERM_BITS: u32 = 12;

impl Time {
    /// The time, if it fits.
    fn new(time: Timestamp) -> Option<Self> {
        let secs = u64::try_from(time.secs.checked_add(SECS_OFFSET)?).ok()?;
        let fits = secs >> (64 - NANOS_BITS) == 0 && time.nanos >> NANOS_BITS == 0;
        fits.then_some(Self(secs << NANOS_BITS | u64::from(time.nanos)))
    }

    fn get(self) -> Timestamp {
        let secs = (self.0 >> NANOS_BITS).cast_signed() - SECS_OFFSET;
        Timestamp { secs, nanos: (self.0 & ((1 << NANOS_BITS) - 1)) as u32 }
    }
}

impl Packed {
    /// The attributes, and what of them does not fit.
    pub fn new(attr: &Attr) -> (Self, Option<Wide>) {
        let times = [attr.atime, attr.mtime, attr.ctime, attr.btime];
        let [atime, mtime, ctime, btime] = times.map(Time::new);
        let fits = atime.is_some() && mtime.is_some() && ctime.is_some() && btime.is_some() && attr.rdev == 0;
        let or_none = |time: Option<Time>| time.unwrap_or(Time(0));
        let packed = Self {
            ino: attr.ino,
            size: attr.size,
            atime: or_none(atime),
            mtime: or_none(mtime),
            ctime: or_none(ctime),
            btime: or_none(btime),
            uid: attr.uid,
            gid: attr.gid,
            nlink: attr.nlink,
            mode: u16::from(attr.kind.code()) << PERM_BITS | attr.perm & 0o7777,
        };
        (packed, (!fits).then_some(Wide { times, rdev: attr.rdev }))
    }

    /// All of them.
    pub fn attr(&self, wide: Option<&Wide>) -> Attr {
        let times = [self.atime, self.mtime, self.ctime, self.btime];
        let [atime, mtime, ctime, btime] = wide.map_or_else(|| times.map(Time::get), |wide| wide.times);
        Attr {
            ino: self.ino,
            kind: self.kind(),
            perm: self.mode & 0o7777,
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: wide.map_or(0, |wide| wide.rdev),
            size: self.size,
            atime,
            mtime,
            ctime,
            btime,
        }
    }

    pub fn kind(&self) -> Kind {
        Kind::from_code((self.mode >> PERM_BITS) as u8).expect("made of a kind")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_take_64_bytes_and_those_of_today_nothing_beside() {
        assert_eq!(size_of::<Packed>(), 64);
        for secs in [-8_000_000_000, -1, 0, 1_800_000_000, 8_000_000_000] {
            let attr = Attr::new(7, Kind::File, 0o644, 1, 2, Timestamp::new(secs, 999_999_999));
            let (packed, wide) = Packed::new(&attr);
            assert!(wide.is_none(), "{secs}");
            assert_eq!(packed.attr(None), attr);
        }
    }

    proptest! {
        #[test]
        fn attributes_are_given_back_as_they_were(
            secs in prop::array::uniform4(prop_oneof![any::<i64>(), -10_000_000_000..10_000_000_000_i64]),
            nanos in prop::array::uniform4(prop_oneof![any::<u32>(), 0..1_000_000_000_u32]),
            (ino, size, ids) in (any::<u64>(), any::<u64>(), any::<[u32; 3]>()),
            (perm, code, rdev) in (0..0o10000_u16, 1..8_u8, prop_oneof![Just(0), any::<u32>()]),
        ) {
            let time = |at: usize| Timestamp { secs: secs[at], nanos: nanos[at] };
            let attr = Attr {
                ino,
                kind: Kind::from_code(code).unwrap(),
                perm,
                nlink: ids[0],
                uid: ids[1],
                gid: ids[2],
                rdev,
                size,
                atime: time(0),
                mtime: time(1),
                ctime: time(2),
                btime: time(3),
            };
            let (packed, wide) = Packed::new(&attr);
            prop_assert_eq!(packed.attr(wide.as_ref()), attr.clone());
            prop_assert_eq!((packed.kind(), packed.size, packed.nlink), (attr.kind, attr.size, attr.nlink));
        }
    }
}
