//! How two trees differ, as far as it can be said without the trees: kinds of change, and the name of a change set.

use std::fmt;

use super::{BytePath, ObjectId};

/// How a path differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is only in the second tree.
    Added,
    /// It is only in the first tree.
    Deleted,
    /// The content differs, and perhaps the mode.
    Modified,
    /// It is of another kind.
    TypeChanged,
    /// Only the permission bits differ.
    ModeChanged,
    /// It is what was at another path; content and mode may differ too.
    Renamed {
        /// Where it was in the first tree.
        from: BytePath,
    },
}

impl ChangeKind {
    /// The letter of `git diff --name-status`. A change of mode is a modification there.
    #[must_use]
    pub fn letter(&self) -> char {
        match self {
            Self::Added => 'A',
            Self::Deleted => 'D',
            Self::Modified | Self::ModeChanged => 'M',
            Self::TypeChanged => 'T',
            Self::Renamed { .. } => 'R',
        }
    }
}

/// The name of a change set: equal for equal paths, kinds, modes and contents, whatever the times and inode numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeSetHash(pub ObjectId);

impl fmt::Debug for ChangeSetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeSetHash({:?})", self.0)
    }
}

impl fmt::Display for ChangeSetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}
