//! What can go wrong in the catalog.

use std::io;
use std::path::PathBuf;

use super::{NameError, ObjectType, UndoError};

/// Why the catalog could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has this name, id or prefix.
    #[error("there is no {kind} `{key}`")]
    NotFound {
        /// What was looked for.
        kind: ObjectType,
        /// As the user wrote it.
        key: String,
    },
    /// Several ids begin like this.
    #[error("`{key}` stands for more than one {kind}: {}", .candidates.join(", "))]
    Ambiguous {
        /// What was looked for.
        kind: ObjectType,
        /// As the user wrote it.
        key: String,
        /// Those that it could be, each as `id (name)`; at most ten.
        candidates: Vec<String>,
    },
    /// The source has no revision of this number.
    #[error("source `{source_name}` has no revision {number}")]
    NoRevision {
        /// The source's name.
        source_name: String,
        /// The number asked for; 0 where any would have done.
        number: u64,
        /// The newest, if there is one.
        newest: Option<u64>,
    },
    /// The session has no checkpoint of this number or name.
    #[error("session `{session}` has no checkpoint `{key}`")]
    NoCheckpoint {
        /// The session's name.
        session: String,
        /// As the user wrote it.
        key: String,
    },
    /// Another object of the kind has the name.
    #[error("there is a {kind} `{name}` already")]
    Exists {
        /// The kind.
        kind: ObjectType,
        /// The name.
        name: String,
    },
    /// A decision is awaited until which the session must not change.
    #[error("session `{session}` is frozen until approval `{approval}` is decided")]
    Frozen {
        /// The session's name.
        session: String,
        /// The id of the approval.
        approval: String,
    },
    /// The text cannot be a name.
    #[error("`{name}` cannot be the name of a {kind}: {why}")]
    BadName {
        /// The kind.
        kind: ObjectType,
        /// The text.
        name: String,
        /// The rule it breaks.
        why: NameError,
    },
    /// What is to come back cannot have its name.
    #[error("there is a {kind} `{name}` again")]
    NameTaken {
        /// The kind.
        kind: ObjectType,
        /// The name.
        name: String,
    },
    /// Nothing in the trash has this name, id or prefix.
    #[error("there is no `{key}` in the trash")]
    NotInTrash {
        /// As the user wrote it.
        key: String,
    },
    /// Several things in the trash could be meant.
    #[error("`{key}` stands for more than one thing in the trash: {}", .candidates.join(", "))]
    AmbiguousTrash {
        /// As the user wrote it.
        key: String,
        /// Those that it could be; at most ten.
        candidates: Vec<String>,
    },
    /// An operation cannot be undone or redone.
    #[error(transparent)]
    Undo(#[from] UndoError),
    /// A newer version of the program wrote the catalog.
    #[error("the catalog `{}` was written by a newer version of aether (format {found}, this one knows {known})", .path.display())]
    Future {
        /// The catalog's file.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// The file is no catalog.
    #[error("`{}` is not an aether catalog", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A row holds what this version never wrote.
    #[error("the catalog `{}` is damaged: {what}", .path.display())]
    Damaged {
        /// The catalog's file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The catalog holds fewer changes than were durable in it.
    #[error(
        "the catalog `{}` is damaged: of {proven} changes that were durable, it holds only the first {found}", .path.display()
    )]
    Lost {
        /// The catalog's file.
        path: PathBuf,
        /// Changes that it holds.
        found: u64,
        /// Changes that it held.
        proven: u64,
    },
    /// Others held the catalog for longer than the busy time-out.
    #[error("the catalog `{}` is in use by other commands", .path.display())]
    Busy {
        /// The catalog's file.
        path: PathBuf,
    },
    /// The transaction changed something that undo would not know of: a bug.
    #[error("this is a bug in aether: {what}; nothing was changed")]
    Unnoted {
        /// What was changed, and how.
        what: String,
    },
    /// The data base failed.
    #[error("the catalog `{}`: {source}", .path.display())]
    Sql {
        /// The catalog's file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The disk failed.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    /// Sorts an SQLite error into the kinds that callers tell apart.
    pub(super) fn sql(path: &std::path::Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        match error.sqlite_error_code() {
            // The last is what SQLite says when the lock of its log could not be had in a hundred attempts.
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Self::Busy { path }
            }
            Some(ErrorCode::SystemIoFailure) if is_wrong_page(&error) => {
                Self::Damaged { path, what: "a page has other bytes than were written".into() }
            }
            // The file ends within a page.
            Some(ErrorCode::SystemIoFailure) if is_short(&error) => Self::Damaged { path, what: error.to_string() },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: error.to_string() },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => Self::Damaged { path, what: error.to_string() },
                other => Self::Sql { path, source: other },
            },
        }
    }
}

/// Whether SQLite could not write, most likely for lack of room.
#[must_use]
pub fn is_out_of_room(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
    const CODES: [i32; 4] = [SQLITE_FULL, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE];
    error.sqlite_error().is_some_and(|error| CODES.contains(&error.extended_code))
}

/// Whether SQLite got fewer bytes than a page has.
fn is_short(error: &rusqlite::Error) -> bool {
    const IOERR_SHORT_READ: i32 = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
    error.sqlite_error().is_some_and(|error| error.extended_code == IOERR_SHORT_READ)
}

/// Whether a page did not fit its checksum.
fn is_wrong_page(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_DATA)
}
