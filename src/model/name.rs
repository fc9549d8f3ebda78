//! File names and paths, which are bytes.

use std::borrow::Borrow;
use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;

use smallvec::SmallVec;

/// One component of a path: 1 to 255 bytes, no slash, no NUL, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(SmallVec<[u8; Name::INLINE]>);

/// Why some bytes are not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all, or `.` or `..`.
    #[error("a file name cannot be empty, `.` or `..`")]
    Reserved,
    /// More than [`Name::MAX`] bytes.
    #[error("a file name has at most 255 bytes")]
    TooLong,
    /// A slash or a NUL byte.
    #[error("a file name cannot contain `/` or a NUL byte")]
    BadByte,
}

impl Name {
    /// The longest name, in bytes (`NAME_MAX`).
    pub const MAX: usize = 255;

    /// Names up to this length, in bytes, need no memory of their own: most are, and a mount holds each of a session's twice.
    const INLINE: usize = 16;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the bytes break.
    pub fn new(bytes: &[u8]) -> Result<Self, NameError> {
        match bytes {
            b"" | b"." | b".." => Err(NameError::Reserved),
            long if long.len() > Self::MAX => Err(NameError::TooLong),
            bad if bad.iter().any(|&byte| byte == b'/' || byte == 0) => Err(NameError::BadByte),
            good => Ok(Self(SmallVec::from_slice(good))),
        }
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as the standard library wants it.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

/// A path inside a tree: names joined by `/`, no slash at either end; the root is empty.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BytePath(Vec<u8>);

impl BytePath {
    /// The root of a tree.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Takes a path as a user wrote it: extra slashes and `.` components fall away.
    ///
    /// # Errors
    /// [`NameError`] when a component is `..`, too long or has a NUL byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        let mut path = Self::root();
        for part in bytes.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
            path = path.join(&Name::new(part)?);
        }
        Ok(path)
    }

    /// This path with one more component.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// The path without its last component; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].to_vec()))
    }

    /// The last component; `None` for the root.
    #[must_use]
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().last()
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|part| !part.is_empty())
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `other` or lies below it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        other.is_root()
            || self.0.strip_prefix(other.0.as_slice()).is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'/'))
    }

    /// The bytes of the path.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the standard library wants it.
    #[must_use]
    pub fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(OsStr::from_bytes(&self.0))
    }
}

impl fmt::Debug for BytePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_directory_can_hold_are_refused() {
        assert_eq!(Name::new(b"").unwrap_err(), NameError::Reserved);
        assert_eq!(Name::new(b"..").unwrap_err(), NameError::Reserved);
        assert_eq!(Name::new(b"a/b").unwrap_err(), NameError::BadByte);
        assert_eq!(Name::new(&[b'x'; 256]).unwrap_err(), NameError::TooLong);
        assert_eq!(Name::new(b"\xff\n").unwrap().as_bytes(), b"\xff\n");
    }

    #[test]
    fn paths_are_normalised_and_cannot_leave_the_tree() {
        let path = BytePath::parse(b"/a//./b/").unwrap();
        assert_eq!(path.as_bytes(), b"a/b");
        assert_eq!(path.parent().unwrap().as_bytes(), b"a");
        assert_eq!(path.file_name(), Some(&b"b"[..]));
        assert!(path.starts_with(&BytePath::parse(b"a").unwrap()));
        assert!(!BytePath::parse(b"ab").unwrap().starts_with(&BytePath::parse(b"a").unwrap()));
        assert!(BytePath::parse(b"a/../b").is_err());
    }
}
