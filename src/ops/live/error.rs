//! Why a session could not be opened or looked at.

use std::io;
use std::path::PathBuf;

use crate::daemon::Failure;
use crate::delta::DeltaError;
use crate::ops::import::ImportError;
use crate::ops::seal::SealError;
use crate::overlay::{self, LowerError};
use crate::store::StoreError;

/// Why a session could not be opened or looked at.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Another process has the session open.
    #[error("session `{id}` is in use by another process")]
    InUse {
        /// The session's id.
        id: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session's delta.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// Frozen data.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The session's content.
    #[error(transparent)]
    Overlay(#[from] overlay::Error),
    /// The mount process refused, failed, or cannot be reached.
    #[error(transparent)]
    Mount(#[from] Failure),
    /// What a command wrote on an overlay cannot be taken in.
    #[error("what a command changed is still in `{}` and cannot be taken in: {source}", .dir.display())]
    TakeIn {
        /// The directory that has it.
        dir: PathBuf,
        /// What is wrong.
        source: Box<ImportError>,
    },
    /// A file or directory.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl LiveError {
    /// A stable word for the kind of error.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::InUse { .. } => "session-in-use",
            Self::TakeIn { .. } => "take-in",
            Self::Store(error) => error.code(),
            Self::Delta(error) => error.code(),
            Self::Lower(LowerError::Damaged { .. })
            | Self::Overlay(overlay::Error::Lower(LowerError::Damaged { .. })) => "damaged",
            Self::Overlay(overlay::Error::Upper(error)) if error.kind() == io::ErrorKind::InvalidData => {
                "delta-damaged"
            }
            Self::Lower(LowerError::Io(_)) | Self::Overlay(_) | Self::Io { .. } => "io",
            Self::Mount(failure) => &failure.code,
        }
    }
}

impl LiveError {
    /// Whether stored data is not what it was.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::TakeIn { source, .. } => matches!(&**source, ImportError::Store(error) if error.is_damage()),
            Self::Delta(error) => matches!(error, DeltaError::Damaged { .. }),
            _ => self.code().contains("damage"),
        }
    }
}

impl LiveError {
    /// What helps, where something does.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Delta(DeltaError::Damaged { .. }) => Some(
                "`aether session recover SESSION` brings it back as it was before the damage, lists what is lost, and \
                 keeps the damaged files"
                    .into(),
            ),
            Self::InUse { .. } => Some("wait for the command that has it open, and try again".into()),
            Self::TakeIn { .. } => Some("nothing of it is lost: the next command on the session tries again".into()),
            _ => None,
        }
    }
}

impl From<SealError> for LiveError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Read(error) => Self::Overlay(error),
            SealError::Store(error) => Self::Store(error),
        }
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Mount(failure) => failure,
            error => {
                let failure = Self::new(error.code(), error.to_string());
                error.remedy().into_iter().fold(failure, Self::hint)
            }
        }
    }
}
