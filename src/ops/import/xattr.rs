//! Extended attributes of files of the origin, of every namespace that may be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::{fgetxattr, fgetxattr_query, flistxattr, flistxattr_query};
use rustix::fs::{lgetxattr, lgetxattr_query, llistxattr, llistxattr_query};
use rustix::io::Errno;

use crate::model::Xattrs;

/// Where to ask.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// A file or directory that is open for reading.
    Open(BorrowedFd<'a>),
    /// What must not be opened: a symbolic link or special file, by its name in an open directory.
    Named(BorrowedFd<'a>, &'a [u8]),
}

/// An attribute, or with no name the list of them, that could not be read.
#[derive(Clone, Debug)]
pub(super) struct XattrError {
    pub(super) name: Option<Box<[u8]>>,
    pub(super) errno: Errno,
}

/// All attributes; `None` if there are none or the file system has no such thing. One that cannot be read is passed
/// to `failed` and left out.
pub(super) fn read_all(target: Target<'_>, mut failed: impl FnMut(XattrError)) -> Option<Xattrs> {
    let path = target.path();
    let names = match grow(|| target.list_len(&path), |buf| target.list(&path, buf)) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return None,
        Err(errno) => {
            failed(XattrError { name: None, errno });
            return None;
        }
    };
    let mut all: BTreeMap<Box<[u8]>, Box<[u8]>> = BTreeMap::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        match grow(|| target.value_len(&path, name), |buf| target.value(&path, name, buf)) {
            Ok(value) => {
                all.insert(name.into(), value.into());
            }
            // Removed between the two calls.
            Err(Errno::NODATA) => {}
            Err(errno) => failed(XattrError { name: Some(name.into()), errno }),
        }
    }
    (!all.is_empty()).then(|| Arc::new(all))
}

/// All attributes of an open file or directory.
///
/// # Errors
/// What the system says of the first that cannot be read.
pub(in crate::ops) fn read_xattrs_of(file: &File) -> io::Result<Option<Xattrs>> {
    let mut first = None;
    let found = read_all(Target::Open(file.as_fd()), |failed| {
        first.get_or_insert(failed.errno);
    });
    first.map_or(Ok(found), |errno| Err(errno.into()))
}

/// Asks for the length, then for the bytes, until both agree.
fn grow(
    len: impl Fn() -> Result<usize, Errno>,
    read: impl Fn(&mut [u8]) -> Result<usize, Errno>,
) -> Result<Vec<u8>, Errno> {
    loop {
        let len_bytes = len()?;
        if len_bytes == 0 {
            return Ok(Vec::new());
        }
        let mut buf = vec![0; len_bytes];
        match read(&mut buf) {
            Ok(count) => {
                buf.truncate(count);
                return Ok(buf);
            }
            Err(Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
}

impl Target<'_> {
    /// There is no `getxattrat` before Linux 6.13; the link in `/proc` leads to the directory that is open.
    fn path(&self) -> Vec<u8> {
        match self {
            Self::Open(_) => Vec::new(),
            Self::Named(dir, name) => {
                let mut path = String::from("/proc/self/fd/");
                let _ = write!(path, "{}/", dir.as_raw_fd());
                let mut path = path.into_bytes();
                path.extend_from_slice(name);
                path
            }
        }
    }

    fn list_len(&self, path: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => flistxattr_query(fd),
            Self::Named(..) => llistxattr_query(path),
        }
    }

    fn list(&self, path: &[u8], buf: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => flistxattr(fd, buf),
            Self::Named(..) => llistxattr(path, buf),
        }
    }

    fn value_len(&self, path: &[u8], name: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => fgetxattr_query(fd, name),
            Self::Named(..) => lgetxattr_query(path, name),
        }
    }

    fn value(&self, path: &[u8], name: &[u8], buf: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => fgetxattr(fd, name, buf),
            Self::Named(..) => lgetxattr(path, name, buf),
        }
    }
}
