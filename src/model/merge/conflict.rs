//! Where two sides do not agree, as data.

use crate::model::{BytePath, Entry};

/// What the sides do not agree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConflictKind {
    /// Both changed the content, and it cannot be merged, or not all of it.
    BothChanged,
    /// Both put something else at the path: new files, or ones moved there.
    BothAdded,
    /// One deleted what the other changed.
    DeleteChange,
    /// One deleted what the other moved.
    RenameDelete,
    /// Both moved it, to different places.
    Rename,
    /// Both changed it, to different kinds of file.
    Type,
    /// One has a directory where the other has something else.
    DirectoryFile,
    /// Both changed the permission bits.
    Mode,
}

impl ConflictKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::BothChanged,
        Self::BothAdded,
        Self::DeleteChange,
        Self::RenameDelete,
        Self::Rename,
        Self::Type,
        Self::DirectoryFile,
        Self::Mode,
    ];

    /// The stable word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BothChanged => "both-changed",
            Self::BothAdded => "both-added",
            Self::DeleteChange => "delete/change",
            Self::RenameDelete => "rename/delete",
            Self::Rename => "rename",
            Self::Type => "type",
            Self::DirectoryFile => "directory/file",
            Self::Mode => "mode",
        }
    }

    /// The kind that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What a tree has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Where.
    pub path: BytePath,
    /// What.
    pub entry: Entry,
}

/// One file, or one path, that the sides do not agree about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where it is in the merged tree, or would be.
    pub path: BytePath,
    /// About what; in order, each once, at least one.
    pub kinds: Vec<ConflictKind>,
    /// What the base has; `None` if nothing.
    pub base: Option<Version>,
    /// What ours has; `None` if it was deleted there, or never there.
    pub ours: Option<Version>,
    /// What theirs has; as with ours.
    pub theirs: Option<Version>,
    /// Whether the merged file has conflict markers in it.
    pub has_markers: bool,
}
