//! Writes the directories, innermost first, and the root.

use crate::model::{Attr, Body, DirRef, Entry, ROOT_INO, Root, RootId, Totals, Xattrs};
use crate::store::{Writer, tree};

use super::ImportError;
use super::number::Numbered;
use super::plan::Plan;
use super::walk::{Context, Found, Item, Listing, State, Tree};

/// A directory that is stored.
struct Built {
    attr: Attr,
    xattrs: Option<Xattrs>,
    dir: DirRef,
    /// Whether nothing of it differs from the previous import.
    same: bool,
}

/// Stores all directories and the root.
pub(super) fn build(
    context: &Context<'_>,
    writer: &Writer,
    tree: &mut Tree,
    plan: &Plan,
    numbered: Numbered,
) -> Result<(RootId, u64), ImportError> {
    let mut dirs = 0;
    let mut built: Vec<Option<Built>> = Vec::new();
    built.resize_with(tree.dirs.len(), || None);
    for (index, &id) in plan.dirs.iter().enumerate() {
        if index % 256 == 255 {
            context.check_cancelled()?;
        }
        let Some(listing) = tree.dirs[id].take() else { continue };
        dirs += 1;
        built[id] = Some(build_dir(writer, listing, &mut built)?);
    }
    let Some(top) = built.first_mut().and_then(Option::take) else {
        return Err(ImportError::Vanished);
    };
    let root = Root {
        attr: Attr { ino: ROOT_INO, ..top.attr },
        dir: top.dir,
        xattrs: top.xattrs,
        next_ino: numbered.next_ino,
        totals: Totals { files: numbered.files, dirs, size_bytes: numbered.bytes },
    };
    Ok((writer.put_root(&root)?, dirs))
}

fn build_dir(writer: &Writer, listing: Listing, built: &mut [Option<Built>]) -> Result<Built, ImportError> {
    let same_dirs = listing.entries.iter().all(|found| match &found.item {
        Item::Dir(id) => built[*id].as_ref().is_some_and(|below| below.same),
        Item::Inode(_) => true,
    });
    let subdirs = listing.entries.iter().filter(|found| match found.item {
        Item::Dir(id) => built[id].is_some(),
        Item::Inode(_) => false,
    });
    let nlink = u32::try_from(2 + subdirs.count()).unwrap_or(u32::MAX);
    let attr = Attr { nlink, ..listing.seen.attr };
    if let Some((_, dir)) = listing.previous.filter(|_| listing.same_entries && same_dirs) {
        return Ok(Built { attr, xattrs: listing.xattrs, dir, same: listing.same_self });
    }
    let entries = listing.entries.into_iter().filter_map(|found| entry(found, built)).collect();
    let dir = tree::write_dir(writer, entries)?;
    Ok(Built { attr, xattrs: listing.xattrs, dir, same: false })
}

/// The entry as it is stored; `None` if it was dropped.
fn entry(found: Found, built: &mut [Option<Built>]) -> Option<Entry> {
    let name = found.name;
    Some(match found.item {
        Item::Dir(id) => {
            let below = built[id].take()?;
            Entry { name, attr: below.attr, body: Body::Dir(below.dir), xattrs: below.xattrs }
        }
        Item::Inode(inode) => {
            let body = match inode.body {
                State::Stored(content) => Body::File(content),
                State::Symlink(target) => Body::Symlink(target),
                State::Special => Body::Special,
                State::Unread | State::Dropped => return None,
            };
            Entry { name, attr: inode.seen.attr, body, xattrs: inode.xattrs }
        }
    })
}
