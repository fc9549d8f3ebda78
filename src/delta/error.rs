//! What can go wrong with a session's delta.

use std::io;
use std::path::PathBuf;

/// Why a delta could not be opened, rewritten or closed.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// Another process has it open.
    #[error("the delta `{}` is in use", path.display())]
    Busy {
        /// The delta's directory.
        path: PathBuf,
    },
    /// Something that was durable is not there any more, or has changed: no torn tail, which is simply cut off.
    #[error("`{}` is damaged at byte {offset}: {why}", path.display())]
    Damaged {
        /// The damaged or missing file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        why: String,
    },
    /// It was written by another version of this program.
    #[error("`{}` has format {version}, but this program knows format {known}", path.display())]
    Format {
        /// The log.
        path: PathBuf,
        /// Its format.
        version: u32,
        /// The format known here.
        known: u32,
    },
    /// Whoever replays the batches refused one.
    #[error("`{}` cannot be replayed at byte {offset}: {source}", path.display())]
    Replay {
        /// The log.
        path: PathBuf,
        /// Where the batch is.
        offset: u64,
        /// Why it was refused.
        source: ReplayError,
    },
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a batch was refused in replay.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

impl DeltaError {
    /// A name that stays the same whatever the words.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "delta-busy",
            Self::Damaged { .. } => "delta-damaged",
            Self::Format { .. } => "delta-format",
            Self::Replay { .. } => "delta-replay",
            Self::Io(_) => "delta-io",
        }
    }
}
