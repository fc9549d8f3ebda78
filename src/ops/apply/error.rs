//! Why nothing could be applied.

use std::io;
use std::path::PathBuf;

use crate::ops::Kind;

/// Why an apply failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The session came from no directory that could be written to.
    #[error("session `{name}` came from no directory, so where to write its changes has to be said")]
    NoTarget {
        /// The session.
        name: String,
    },
    /// A session that is mounted covers the directory.
    #[error("`{}` is inside the mount of a session", .path.display())]
    Covered {
        /// The directory.
        path: PathBuf,
    },
    /// Another apply of the session is under way.
    #[error("another apply of this session is under way")]
    Busy,
    /// Something could not be written.
    #[error("`{}` cannot be {what}: {source}", .path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An apply before was interrupted, and its directory is another one by now.
    #[error("`{}`, where an apply was interrupted, is not the directory that it was", .path.display())]
    Moved {
        /// The directory.
        path: PathBuf,
    },
    /// What an interrupted apply took out of the way can neither go back nor away.
    #[error("`{}` was changed while it was replaced; what it was is in `{}`", .path.display(), .kept.display())]
    Stuck {
        /// The path.
        path: PathBuf,
        /// Where its content is.
        kept: PathBuf,
    },
}

impl ApplyError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoTarget { .. } => Kind::Usage,
            Self::Covered { .. } => Kind::Refused,
            Self::Busy => Kind::Busy,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Self::Io { .. } => Kind::Failed,
            Self::Moved { .. } | Self::Stuck { .. } => Kind::Conflict,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTarget { .. } => "no-target",
            Self::Covered { .. } => "target-covered",
            Self::Busy => "apply-busy",
            Self::Io { .. } => "io",
            Self::Moved { .. } => "target-moved",
            Self::Stuck { .. } => "changed-meanwhile",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoTarget { .. } => vec!["`--to DIR` names the directory".into()],
            Self::Covered { .. } => vec!["unmount it first, or name another directory with `--to`".into()],
            Self::Busy => vec!["wait until it has ended, and try again".into()],
            Self::Io { source, .. } if source.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()) => {
                vec!["make room, and run it again: nothing is half written".into()]
            }
            Self::Io { .. } => Vec::new(),
            Self::Moved { .. } => {
                vec!["put it back, and run it again; or remove its directory `.aether-apply-…`".into()]
            }
            Self::Stuck { .. } => vec!["look at both, move one away, and run it again".into()],
        }
    }
}
