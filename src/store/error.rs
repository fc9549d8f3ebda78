//! What can go wrong in the store.

use std::io;
use std::path::PathBuf;

use crate::model::{Name, ObjectId};
use crate::overlay::LowerError;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk failed. The message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Stored bytes are not what was stored, or are gone.
    #[error("object {id:?} is damaged{}: {why}", in_pack(.pack.as_deref()))]
    Damaged {
        /// The object.
        id: ObjectId,
        /// The name of the pack it should be in, if one is known.
        pack: Option<String>,
        /// What is wrong with it.
        why: String,
    },
    /// A pack cannot be read as one.
    #[error("pack `{pack}` is damaged: {why}")]
    DamagedPack {
        /// The name of its file.
        pack: String,
        /// What is wrong with it.
        why: String,
    },
    /// A pack was written by a newer version of the program.
    #[error("pack `{pack}` has format {version}, which this version does not know")]
    NewerPack {
        /// The name of its file.
        pack: String,
        /// The format it says it has.
        version: u32,
    },
    /// The index could not be used. It is a cache: removing the file is a remedy.
    #[error("index `{}`: {source}", .path.display())]
    Index {
        /// The index's file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// An object is larger than any pack may hold.
    #[error("an object of {bytes} bytes is too large to store")]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A directory was to be stored with two entries of one name.
    #[error("the name {0:?} is twice in one directory")]
    DuplicateName(Name),
    /// Another process collects or checks the store.
    #[error("another command collects or checks the store")]
    InCollection,
    /// Commands that store something did not end in time.
    #[error("a collection waited too long for commands that store something")]
    Held,
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// An earlier call on this writer failed; what it was given cannot be trusted to be stored.
    #[error("an earlier write to the store failed")]
    WriterFailed,
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

fn in_pack(pack: Option<&str>) -> String {
    pack.map(|pack| format!(" in pack `{pack}`")).unwrap_or_default()
}

impl StoreError {
    /// A stable word for the kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "store-io",
            Self::Damaged { .. } | Self::DamagedPack { .. } => "store-damaged",
            Self::NewerPack { .. } => "store-newer-format",
            Self::Index { .. } => "store-index",
            Self::TooLarge { .. } => "store-object-too-large",
            Self::DuplicateName(_) => "store-duplicate-name",
            Self::InCollection => "store-in-collection",
            Self::Held => "store-held",
            Self::Cancelled => "interrupted",
            Self::WriterFailed => "store-writer-failed",
            Self::Random(_) => "store-random",
        }
    }

    /// Whether other processes held something for too long.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed};
        let Self::Index { source, .. } = self else { return matches!(self, Self::InCollection | Self::Held) };
        matches!(source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed))
    }

    /// Whether the index could not be written, most likely for lack of room.
    #[must_use]
    pub fn is_out_of_room(&self) -> bool {
        use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
        const CODES: [i32; 4] = [SQLITE_FULL, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE];
        let Self::Index { source, .. } = self else { return false };
        source.sqlite_error().is_some_and(|error| CODES.contains(&error.extended_code))
    }

    /// Whether stored data is not what it was.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::DamagedPack { .. })
    }
}

impl From<StoreError> for LowerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => Self::Io(error),
            StoreError::Damaged { id, pack, why } => {
                Self::Damaged { id, why: pack.map(|pack| format!("pack `{pack}`: {why}")).unwrap_or(why) }
            }
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<LowerError> for StoreError {
    fn from(error: LowerError) -> Self {
        match error {
            LowerError::Io(error) => Self::Io(error),
            LowerError::Damaged { id, why } => Self::Damaged { id, pack: None, why },
        }
    }
}
