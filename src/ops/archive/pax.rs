//! What the extended headers of an entry say (POSIX.1-2001 `pax`, with the keys that GNU tar and star add).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use crate::model::{Timestamp, Xattrs};

const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// The most runs of data that a sparse file may have.
const MAX_RUNS: u64 = 1 << 20;

/// The extended headers of one entry, as far as they matter here.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: Option<Xattrs>,
    pub(super) sparse: Option<Sparse>,
}

/// A sparse file in GNU's format 1.0, whose map stands before its data.
#[derive(Debug)]
pub(super) struct Sparse {
    /// The entry's real name.
    pub(super) name: Option<Vec<u8>>,
    pub(super) len_bytes: u64,
}

impl Pax {
    /// Reads the headers of an entry.
    pub(super) fn of<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Self> {
        let mut pax = Self::default();
        let mut xattrs = BTreeMap::new();
        let (mut major, mut other_sparse, mut name, mut len_bytes) = (None, false, None, None);
        for extension in entry.pax_extensions()?.into_iter().flatten() {
            let extension = extension?;
            let (key, value) = (extension.key_bytes(), extension.value_bytes());
            match key {
                b"uid" => pax.uid = number(value)?,
                b"gid" => pax.gid = number(value)?,
                b"mtime" => pax.mtime = Some(time(value).ok_or_else(|| bad("a time"))?),
                b"GNU.sparse.major" => major = number::<u64>(value)?,
                b"GNU.sparse.name" => name = Some(value.to_vec()),
                b"GNU.sparse.realsize" => len_bytes = number(value)?,
                b"GNU.sparse.map" | b"GNU.sparse.numblocks" => other_sparse = true,
                _ => {
                    if let Some(name) = key.strip_prefix(XATTR_PREFIX) {
                        xattrs.insert(name.into(), value.into());
                    }
                }
            }
        }
        pax.xattrs = (!xattrs.is_empty()).then(|| Arc::new(xattrs));
        pax.sparse = match (major, len_bytes) {
            (Some(1), Some(len_bytes)) => Some(Sparse { name, len_bytes }),
            (None, _) if !other_sparse => None,
            _ => return Err(io::Error::other("a sparse file is in a format that is not known")),
        };
        Ok(pax)
    }
}

/// Reads the map of a sparse file: runs of data by offset and length, in order and apart.
pub(super) fn sparse_map(from: &mut impl Read, len_bytes: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut lines = Lines { from, read_bytes: 0 };
    let count = lines.number()?;
    if count > MAX_RUNS {
        return Err(bad("a map of a sparse file"));
    }
    let mut runs = Vec::new();
    let mut end = 0;
    for _ in 0..count {
        let (offset, length) = (lines.number()?, lines.number()?);
        let next = offset.checked_add(length).filter(|next| offset >= end && *next <= len_bytes);
        end = next.ok_or_else(|| bad("a map of a sparse file"))?;
        if length > 0 {
            runs.push((offset, length));
        }
    }
    lines.skip_padding()?;
    Ok(runs)
}

/// Decimal numbers, a line each, filled up with zeros to whole records of 512 bytes.
struct Lines<'r, R> {
    from: &'r mut R,
    read_bytes: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> io::Result<u64> {
        let mut digits = Vec::new();
        loop {
            let mut byte = [0];
            self.from.read_exact(&mut byte)?;
            self.read_bytes += 1;
            match byte[0] {
                b'\n' => break,
                digit @ b'0'..=b'9' if digits.len() < 20 => digits.push(digit),
                _ => return Err(bad("a map of a sparse file")),
            }
        }
        number(&digits)?.ok_or_else(|| bad("a map of a sparse file"))
    }

    fn skip_padding(&mut self) -> io::Result<()> {
        let mut padding = vec![0; (self.read_bytes.next_multiple_of(512) - self.read_bytes) as usize];
        self.from.read_exact(&mut padding)
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::other(format!("{what} in its headers makes no sense"))
}

fn number<T: std::str::FromStr>(value: &[u8]) -> io::Result<Option<T>> {
    let text = std::str::from_utf8(value).map_err(|_| bad("a number"))?;
    text.parse().map(Some).map_err(|_| bad("a number"))
}

/// Seconds since the epoch with a fraction of any length, before it with a minus.
fn time(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?;
    let (secs, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{:0<9}", &fraction[..fraction.len().min(9)]).parse().ok()?;
    let whole: i64 = secs.parse().ok()?;
    match secs.starts_with('-') && nanos > 0 {
        true => Some(Timestamp::new(whole.checked_sub(1)?, 1_000_000_000 - nanos)),
        false => Some(Timestamp::new(whole, nanos)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions_and_can_lie_before_the_epoch() {
        assert_eq!(time(b"12.5"), Some(Timestamp::new(12, 500_000_000)));
        assert_eq!(time(b"12.0000000019"), Some(Timestamp::new(12, 1)));
        assert_eq!(time(b"-1.25"), Some(Timestamp::new(-2, 750_000_000)));
        assert_eq!(time(b"-0.5"), Some(Timestamp::new(-1, 500_000_000)));
        assert_eq!((time(b"x"), time(b"1.x"), time(b"")), (None, None, None));
    }

    #[test]
    fn a_map_of_a_sparse_file_is_taken_only_if_it_makes_sense() {
        let padded = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(bytes.len().next_multiple_of(512), 0);
            bytes
        };
        let map = |text: &str| sparse_map(&mut &padded(text)[..], 100);
        assert_eq!(map("2\n0\n10\n50\n50\n").unwrap(), [(0, 10), (50, 50)]);
        assert_eq!(map("1\n100\n0\n").unwrap(), []);
        for wrong in ["1\n60\n50\n", "2\n50\n10\n0\n10\n", "99999999\n", "x\n", "1\n18446744073709551615\n1\n"] {
            assert!(map(wrong).is_err(), "{wrong:?}");
        }
    }
}
