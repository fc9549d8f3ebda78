//! In which order files are read and directories are written, and which entries are one inode.
//!
//! The order is that of a walk that takes names in the order of their bytes and enters a directory when it meets it, as
//! a session lists them: what is read together later lies together in the packs.

use rustc_hash::FxHashMap;

use crate::model::BytePath;

use super::stat::Identity;
use super::walk::{DirId, Found, Inode, Item, Listing, State, Tree};

/// An entry that is no directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) dir: DirId,
    pub(super) entry: usize,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Directories, each after all that are in it.
    pub(super) dirs: Vec<DirId>,
    /// All other entries.
    pub(super) files: Vec<Place>,
    /// The entries of each inode that has several names, in order.
    pub(super) links: FxHashMap<Identity, Vec<Place>>,
}

impl Tree {
    /// The entry at a place, with the directory it is in.
    pub(super) fn find(&self, place: Place) -> Option<(&Listing, &Found, &Inode)> {
        let listing = self.dirs.get(place.dir)?.as_ref()?;
        let found = listing.entries.get(place.entry)?;
        match &found.item {
            Item::Inode(inode) => Some((listing, found, inode)),
            Item::Dir(_) => None,
        }
    }

    pub(super) fn path(&self, place: Place) -> Option<BytePath> {
        self.find(place).map(|(listing, found, _)| listing.path.join(&found.name))
    }

    pub(super) fn inode(&self, place: Place) -> Option<&Inode> {
        self.find(place).map(|(_, _, inode)| inode)
    }

    pub(super) fn inode_mut(&mut self, place: Place) -> Option<&mut Inode> {
        match &mut self.dirs.get_mut(place.dir)?.as_mut()?.entries.get_mut(place.entry)?.item {
            Item::Inode(inode) => Some(inode),
            Item::Dir(_) => None,
        }
    }
}

impl Plan {
    /// Plans the whole tree, without recursion, as trees may be deep.
    pub(super) fn new(tree: &Tree) -> Self {
        let mut plan = Self::default();
        let mut stack = vec![(0, 0)];
        while let Some((dir, entry)) = stack.pop() {
            let found = tree.dirs[dir].as_ref().and_then(|listing| listing.entries.get(entry));
            match found.map(|found| &found.item) {
                None => {
                    if tree.dirs[dir].is_some() {
                        plan.dirs.push(dir);
                    }
                }
                Some(Item::Dir(below)) => stack.extend([(dir, entry + 1), (*below, 0)]),
                Some(Item::Inode(inode)) => {
                    stack.push((dir, entry + 1));
                    let place = Place { dir, entry };
                    plan.files.push(place);
                    if inode.seen.attr.nlink > 1 {
                        plan.links.entry(inode.seen.identity()).or_default().push(place);
                    }
                }
            }
        }
        plan
    }

    /// The files to read, each inode once.
    pub(super) fn unread(&self, tree: &Tree) -> Vec<Place> {
        let is_unread = |inode: &Inode| matches!(inode.body, State::Unread);
        let is_first = |place: Place, inode: &Inode| match self.links_of(inode) {
            Some(places) => places.first() == Some(&place),
            None => true,
        };
        let wanted =
            |place: &Place| tree.inode(*place).is_some_and(|inode| is_unread(inode) && is_first(*place, inode));
        self.files.iter().copied().filter(wanted).collect()
    }

    /// The places of an inode with several names, by its state at the walk.
    pub(super) fn links_of(&self, inode: &Inode) -> Option<&[Place]> {
        if inode.seen.attr.nlink <= 1 {
            return None;
        }
        self.links.get(&inode.seen.identity()).map(Vec::as_slice)
    }
}
