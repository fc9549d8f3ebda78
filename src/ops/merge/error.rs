//! Why a merge is refused.

use std::path::PathBuf;

use crate::ops::Kind;

/// Why a merge, or the resolution of a conflict, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The session came from no source that is still there.
    #[error("session `{name}` came from no source that it could be brought up to")]
    NoSource {
        /// The session.
        name: String,
    },
    /// The session stands on a newer revision.
    #[error("session `{name}` stands on revision {stands_on} already, which is newer than {wanted}")]
    OlderRevision {
        /// The session.
        name: String,
        /// What it stands on.
        stands_on: u64,
        /// What was asked for.
        wanted: u64,
    },
    /// A session cannot be merged into itself.
    #[error("session `{name}` cannot be merged into itself")]
    IntoItself {
        /// The session.
        name: String,
    },
    /// The session has conflicts of a merge before.
    #[error("session `{name}` has conflicts that are not resolved")]
    InConflict {
        /// The session.
        name: String,
    },
    /// The session has no conflicts.
    #[error("session `{name}` has no merge with conflicts")]
    NotInConflict {
        /// The session.
        name: String,
    },
    /// There is no conflict at the path.
    #[error("session `{name}` has no conflict at `{}`", .path.display())]
    NoConflict {
        /// The path.
        path: PathBuf,
        /// The session.
        name: String,
    },
    /// The lines of both sides cannot be put together.
    #[error("`{}` is not text on both sides, so there is no union of it", .path.display())]
    NoUnion {
        /// The path.
        path: PathBuf,
    },
    /// There are conflict markers left.
    #[error("`{}` still has conflict markers in it", .path.display())]
    HasMarkers {
        /// The path.
        path: PathBuf,
    },
    /// A file is where a directory would have to be.
    #[error("`{}` is a file, so nothing can be below it", .path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
}

impl MergeError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSource { .. } => Kind::Failed,
            Self::IntoItself { .. } => Kind::Usage,
            Self::NotInConflict { .. } | Self::NoConflict { .. } => Kind::NotFound,
            Self::InConflict { .. }
            | Self::OlderRevision { .. }
            | Self::NoUnion { .. }
            | Self::HasMarkers { .. }
            | Self::InTheWay { .. } => Kind::Conflict,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSource { .. } => "no-source",
            Self::OlderRevision { .. } => "older-revision",
            Self::IntoItself { .. } => "merge-into-itself",
            Self::InConflict { .. } => "in-conflict",
            Self::NotInConflict { .. } => "not-in-conflict",
            Self::NoConflict { .. } => "no-conflict",
            Self::NoUnion { .. } => "no-union",
            Self::HasMarkers { .. } => "has-markers",
            Self::InTheWay { .. } => "in-the-way",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::InConflict { name } => vec![
                format!("`aether conflict list {name}` lists them"),
                format!("`aether merge --abort --into {name}` takes the merge back"),
            ],
            Self::HasMarkers { .. } => vec!["edit it, or say `--ours`, `--theirs`, `--union` or `--file`".into()],
            Self::NoConflict { name, .. } => vec![format!("`aether conflict list {name}` lists them")],
            Self::OlderRevision { .. } => vec!["`aether merge` brings in what any revision has".into()],
            Self::InTheWay { .. } => vec!["resolve the conflict there first".into()],
            Self::NoSource { .. } | Self::IntoItself { .. } | Self::NotInConflict { .. } | Self::NoUnion { .. } => {
                Vec::new()
            }
        }
    }
}
