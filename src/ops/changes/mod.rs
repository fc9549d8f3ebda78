//! How two trees differ: the changes, their hash, and what is needed to show them.
//!
//! [`changes`] lists the paths that differ in kind, mode or content, renames joined; its cost is that of what differs.
//! [`FileDiff`] says how one file differs, by lines where it is text; [`patch`] writes that as git does; nothing here
//! prints, decides on colours, or knows sessions and revisions: a [`TreeView`] is a frozen tree or a session at one moment.
//!
//! Times, owners, inode numbers, extended attributes and holes are no differences, nor are the root directory's own
//! attributes: it has no path.

mod binary;
mod compare;
mod content;
mod hash;
mod patch;
mod rename;
mod scope;
mod text;
mod view;
mod words;

use std::collections::BTreeSet;

use crate::model::{BytePath, ChangeKind, Kind};
use crate::overlay::Error;

pub use crate::overlay::SnapshotEntry;
pub use content::copy_content;
pub use hash::change_set_hash;
pub use patch::{Binaries, PatchError, Unsaid, git_mode, patch, quoted};
pub use scope::Scope;
pub(super) use text::operations;
pub use text::{FileDiff, Hunk, Line, LineKind, MAX_TEXT_BYTES};
pub use view::{Empty, Frozen, TreeView};
pub use words::{Piece, words};

/// The two trees that are compared.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// The one before.
    pub old: &'a dyn TreeView,
    /// The one after.
    pub new: &'a dyn TreeView,
}

/// A path that differs between two trees. A directory that came or went is a change of its own, beside what is in it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where it is in the second tree, or was in the first if it is gone.
    pub path: BytePath,
    /// How it differs.
    pub kind: ChangeKind,
    /// What the first tree has, at the path that it was renamed from if it was.
    pub old: Option<SnapshotEntry>,
    /// What the second tree has.
    pub new: Option<SnapshotEntry>,
}

impl Change {
    /// Whether a directory, and nothing else, is what came, went, moved or changed its mode.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        [&self.old, &self.new].into_iter().flatten().all(|entry| entry.attr.kind == Kind::Dir)
    }

    /// The bytes of the file before and after; 0 where there is none.
    #[must_use]
    pub fn sizes(&self) -> (u64, u64) {
        let size = |entry: &Option<SnapshotEntry>| entry.as_ref().map_or(0, |entry| entry.attr.size);
        (size(&self.old), size(&self.new))
    }
}

/// What differs between `old` and `new`, in the order of the paths.
///
/// # Errors
/// [`Error`] when a tree cannot be read.
pub fn changes(old: &dyn TreeView, new: &dyn TreeView, scope: &Scope) -> Result<Vec<Change>, Error> {
    rename::find_renames(compare::compare(old, new, scope)?, old, new)
}

/// The changes that people want to see: all but those of directories that other changes in them imply.
#[must_use]
pub fn visible(changes: &[Change]) -> Vec<&Change> {
    let mut paths: BTreeSet<&[u8]> = changes.iter().map(|change| change.path.as_bytes()).collect();
    paths.extend(changes.iter().filter_map(|change| match &change.kind {
        ChangeKind::Renamed { from } => Some(from.as_bytes()),
        _ => None,
    }));
    let implies = |dir: &BytePath| {
        let inside = dir.join(b"");
        paths.range(inside.as_bytes()..).next().is_some_and(|path| path.starts_with(inside.as_bytes()))
    };
    let is_shown =
        |change: &&Change| !change.is_dir() || change.kind == ChangeKind::ModeChanged || !implies(&change.path);
    changes.iter().filter(is_shown).collect()
}
