//! The one table that turns what went wrong into what the program that asked is told.

use std::error::Error as StdError;
use std::io;

use rustix::io::Errno;

use crate::overlay::{Error, LowerError};

/// The error number of a refused or failed operation.
pub(super) fn errno(error: &Error) -> Errno {
    match error {
        Error::NotFound => Errno::NOENT,
        Error::Exists => Errno::EXIST,
        Error::NotDir => Errno::NOTDIR,
        Error::IsDir => Errno::ISDIR,
        Error::NotEmpty => Errno::NOTEMPTY,
        Error::Invalid | Error::IntoItself => Errno::INVAL,
        Error::NameTooLong => Errno::NAMETOOLONG,
        Error::NotPermitted => Errno::PERM,
        Error::Denied => Errno::ACCESS,
        Error::ReadOnly => Errno::ROFS,
        Error::TooManyLinks => Errno::MLINK,
        Error::TooLarge => Errno::FBIG,
        Error::NoAttr => Errno::NODATA,
        Error::Range => Errno::RANGE,
        Error::TooBig => Errno::TOOBIG,
        Error::Unsupported => Errno::OPNOTSUPP,
        Error::NoData => Errno::NXIO,
        Error::Stale => Errno::STALE,
        Error::Lower(LowerError::Damaged { .. }) => Errno::IO,
        Error::Lower(LowerError::Io(error)) | Error::Upper(error) => disk_errno(error),
    }
}

/// Whether the failure is ours (the disk's, or damage) and not the answer to what was asked, so that it belongs in the
/// log.
pub(super) fn is_failure(error: &Error) -> bool {
    matches!(error, Error::Lower(_) | Error::Upper(_))
}

/// Only what a program can make sense of passes through; that one of *our* files is missing or may not be read would
/// be taken for a statement about the program's own file, and is an I/O error to it.
fn disk_errno(error: &io::Error) -> Errno {
    let raw = raw_os_error(error).map(Errno::from_raw_os_error);
    match raw {
        Some(
            passed @ (Errno::NOSPC
            | Errno::DQUOT
            | Errno::IO
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::ROFS
            | Errno::FBIG),
        ) => passed,
        _ => Errno::IO,
    }
}

/// The error number nearest to the surface of an error and those it wraps.
fn raw_os_error(error: &io::Error) -> Option<i32> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if let Some(raw) = io.raw_os_error() {
                return Some(raw);
            }
            if let Some(inner) = io.get_ref() {
                next = Some(inner);
                continue;
            }
            return match io.kind() {
                io::ErrorKind::StorageFull => Some(Errno::NOSPC.raw_os_error()),
                io::ErrorKind::QuotaExceeded => Some(Errno::DQUOT.raw_os_error()),
                io::ErrorKind::ReadOnlyFilesystem => Some(Errno::ROFS.raw_os_error()),
                io::ErrorKind::OutOfMemory => Some(Errno::NOMEM.raw_os_error()),
                _ => None,
            };
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObjectId, ObjectKind};

    #[derive(Debug, thiserror::Error)]
    #[error("in a file")]
    struct Wrapped(#[source] io::Error);

    fn os(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    #[test]
    fn the_disk_being_full_is_told_however_deep_it_is_wrapped() {
        for full in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE] {
            let wrapped = io::Error::other(Wrapped(io::Error::other(os(full))));
            assert_eq!(errno(&Error::Upper(wrapped)), full);
        }
        assert_eq!(errno(&Error::Upper(io::ErrorKind::StorageFull.into())), Errno::NOSPC);
    }

    #[test]
    fn what_is_wrong_with_our_own_files_is_an_io_error() {
        assert_eq!(errno(&Error::Upper(os(Errno::NOENT))), Errno::IO);
        assert_eq!(errno(&Error::Lower(LowerError::Io(os(Errno::ACCESS)))), Errno::IO);
        assert_eq!(errno(&Error::Upper(io::ErrorKind::UnexpectedEof.into())), Errno::IO);
    }

    #[test]
    fn damage_is_an_io_error_and_belongs_in_the_log() {
        let damaged = Error::Lower(LowerError::Damaged { id: ObjectId::of(ObjectKind::Chunk, b""), why: "bit".into() });
        assert_eq!(errno(&damaged), Errno::IO);
        assert!(is_failure(&damaged));
        assert!(!is_failure(&Error::NotFound));
    }
}
