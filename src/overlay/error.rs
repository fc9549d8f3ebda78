//! What can go wrong in a file-system operation.

use super::LowerError;

/// Why an operation was refused or failed. The FUSE adapter has the one table that turns these into errnos.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    #[error("no such file or directory")]
    NotFound,
    #[error("the name exists already")]
    Exists,
    #[error("not a directory")]
    NotDir,
    #[error("is a directory")]
    IsDir,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("invalid argument")]
    Invalid,
    #[error("a directory cannot be moved into itself")]
    IntoItself,
    #[error("the name is too long")]
    NameTooLong,
    #[error("operation not permitted")]
    NotPermitted,
    #[error("permission denied")]
    Denied,
    #[error("the file system is read-only")]
    ReadOnly,
    #[error("too many links")]
    TooManyLinks,
    #[error("the file is too large")]
    TooLarge,
    #[error("no such attribute")]
    NoAttr,
    #[error("the attribute's value or the list does not fit")]
    Range,
    #[error("the attribute is too big")]
    TooBig,
    #[error("the operation is not supported")]
    Unsupported,
    #[error("no data or hole at or after this offset")]
    NoData,
    #[error("the inode is unknown")]
    Stale,
    /// Stored bytes are not what they were: reported as EIO, never as content.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The session's own files failed.
    #[error("the session's delta: {0}")]
    Upper(#[source] std::io::Error),
}
