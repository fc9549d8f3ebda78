//! Three-way merge of trees: what `theirs` changed since `base` is brought into `ours`.
//!
//! [`merge`] takes three frozen trees and says what has to happen to ours, and where the two sides do not agree; it
//! changes nothing itself. Its cost is that of what differs: directories of equal content are not listed, and files are
//! read only where both sides changed one, or where a changed file may have moved.
//!
//! What only one side changed is taken. A file that one side moved and the other edited ends up moved and edited; files
//! added to a directory that the other side moved go along. Text that both changed is merged by line ([`TextMerge`]).
//! For the rest there are conflicts ([`Conflict`]), and ours stays as it is; or, where ours deleted what theirs changed,
//! theirs comes back. Nothing of ours that theirs did not touch is ever touched, and nothing appears that neither had.
//!
//! Times, owners and extended attributes are no differences. They come along with what is taken.

mod changes;
mod conflict;
mod dir_rename;
mod dirs;
mod item;
mod lines;
mod place;
mod rename;
mod render;
mod resolve;
mod similarity;
mod text;
mod tree;

pub use conflict::{Conflict, ConflictKind, Version};
pub use lines::{is_binary, lines, numbered};
pub use place::{Merged, Placed};
pub use render::{ConflictStyle, Labels};
pub use text::TextMerge;
pub use tree::{Three, Trees};

use changes::SideChanges;
use tree::Tree;

use super::DirRef;

/// The longest file that is merged by line, in bytes. Longer ones are taken whole or conflict.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// How conflicts in texts are written.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is between the markers.
    pub style: ConflictStyle,
    /// What is behind them.
    pub labels: Labels,
}

/// Merges three trees, given as their root directories.
///
/// # Errors
/// What `trees` fails with.
pub fn merge<T: Trees>(trees: &T, roots: &Three<DirRef>, options: &Options) -> Result<Merged, T::Error> {
    if roots.theirs.content == roots.base.content || roots.theirs.content == roots.ours.content {
        return Ok(Merged::default());
    }
    let view = Three {
        base: Tree::new(trees, roots.base),
        ours: Tree::new(trees, roots.ours),
        theirs: Tree::new(trees, roots.theirs),
    };
    let mut ours = SideChanges::between(trees, roots.base, roots.ours)?;
    let mut theirs = SideChanges::between(trees, roots.base, roots.theirs)?;
    let (our_files, their_files) = (ours.files.clone(), theirs.files.clone());
    rename::find_renames(trees, &mut ours, &their_files)?;
    rename::find_renames(trees, &mut theirs, &our_files)?;
    dir_rename::find_dir_renames(&mut ours);
    dir_rename::find_dir_renames(&mut theirs);
    let items = item::items(&view, &ours, &theirs)?;
    let resolved = resolve::resolve_all(trees, items, options)?;
    place::place(&view, &ours, &theirs, resolved, options)
}
