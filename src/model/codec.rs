//! The byte encoding below all on-disk formats: LEB128 integers, zig-zag for signed ones, length-prefixed bytes.
//!
//! There is exactly one encoding of a value, so that equal values have equal hashes; the reader refuses the others.

use super::{ObjectId, Timestamp};

/// Why stored bytes could not be decoded: they are damaged, or of a format this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a value.
    #[error("the encoding ends too early")]
    Truncated,
    /// A value outside what its field allows; the text names the field.
    #[error("the encoding has an invalid {0}")]
    Invalid(&'static str),
    /// Bytes follow after the last value.
    #[error("the encoding has bytes left over")]
    Trailing,
}

/// Appends values to a buffer.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// A single byte.
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    /// An unsigned integer, 1 to 10 bytes.
    pub fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A signed integer, small magnitudes short.
    pub fn int(&mut self, value: i64) {
        self.uint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self, value: &[u8]) {
        self.uint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// An object's name.
    pub fn id(&mut self, value: &ObjectId) {
        self.0.extend_from_slice(&value.0);
    }

    /// A point in time.
    pub fn time(&mut self, value: Timestamp) {
        self.int(value.secs);
        self.uint(value.nanos.into());
    }
}

/// Takes values off the front of a slice.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing) }
    }

    /// The next `count` bytes as they are.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    /// A single byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn byte(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned integer in its shortest form.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], or [`CodecError::Invalid`] for a longer form or more than 64 bits.
    pub fn uint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 || shift > 0 && byte == 0 {
                return Err(CodecError::Invalid("integer"));
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Invalid("integer"))
    }

    /// An unsigned integer that fits the wanted type.
    ///
    /// # Errors
    /// As [`Reader::uint`]; [`CodecError::Invalid`] names `field` when the value is too large.
    pub fn uint_as<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, CodecError> {
        T::try_from(self.uint()?).map_err(|_| CodecError::Invalid(field))
    }

    /// A signed integer.
    ///
    /// # Errors
    /// As [`Reader::uint`].
    pub fn int(&mut self) -> Result<i64, CodecError> {
        let value = self.uint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// As [`Reader::uint`].
    pub fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let count = self.uint_as::<usize>("length")?;
        self.take(count)
    }

    /// An object's name.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn id(&mut self) -> Result<ObjectId, CodecError> {
        let mut id = [0; 32];
        id.copy_from_slice(self.take(32)?);
        Ok(ObjectId(id))
    }

    /// A point in time.
    ///
    /// # Errors
    /// As [`Reader::uint`]; [`CodecError::Invalid`] for a second's worth of nanoseconds or more.
    pub fn time(&mut self) -> Result<Timestamp, CodecError> {
        let secs = self.int()?;
        let nanos = self.uint_as::<u32>("nanoseconds")?;
        if nanos >= 1_000_000_000 {
            return Err(CodecError::Invalid("nanoseconds"));
        }
        Ok(Timestamp { secs, nanos })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_survive_the_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::default();
            writer.uint(value);
            writer.int(value.cast_signed());
            let mut reader = Reader::new(&writer.0);
            assert_eq!(reader.uint().unwrap(), value);
            assert_eq!(reader.int().unwrap(), value.cast_signed());
            reader.finish().unwrap();
        }
    }

    #[test]
    fn a_second_encoding_of_the_same_integer_is_refused() {
        assert!(Reader::new(&[0x80, 0x00]).uint().is_err());
        assert!(Reader::new(&[0xff; 11]).uint().is_err());
        assert_eq!(Reader::new(&[0x80]).uint(), Err(CodecError::Truncated));
    }
}
