//! The three trees, looked at as far as needed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::model::{Body, BytePath, Content, DirRef, Entry, Kind};

/// One thing for each of the three trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Three<T> {
    pub base: T,
    pub ours: T,
    pub theirs: T,
}

/// Where the trees are, and which of their paths a merge is about.
pub trait Trees {
    /// Why something could not be read.
    type Error;
    /// What decides about the paths in a directory; cheap to clone.
    type Rules: Clone;

    /// The entries of a directory in the order of their names.
    ///
    /// # Errors
    /// It cannot be read.
    fn list(&self, dir: &DirRef) -> Result<Vec<Entry>, Self::Error>;

    /// All bytes of a file.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(&self, content: &Content, size_bytes: u64) -> Result<Vec<u8>, Self::Error>;

    /// The rules that hold in the root.
    fn rules(&self) -> Self::Rules;

    /// The rules inside `dir`, which has these entries, when `rules` hold above it.
    ///
    /// # Errors
    /// They cannot be read.
    fn rules_inside(&self, rules: &Self::Rules, dir: &BytePath, entries: &[Entry]) -> Result<Self::Rules, Self::Error>;

    /// Whether a change of this path is to be merged, given that the directory it is in is.
    fn is_tracked(&self, rules: &Self::Rules, path: &BytePath, is_dir: bool) -> bool;
}

type Listing = Option<Rc<Vec<Entry>>>;

/// One tree, looked into by path.
pub(super) struct Tree<'a, T> {
    trees: &'a T,
    root: DirRef,
    listed: RefCell<HashMap<BytePath, Listing>>,
}

impl<'a, T: Trees> Tree<'a, T> {
    pub(super) fn new(trees: &'a T, root: DirRef) -> Self {
        Self { trees, root, listed: RefCell::default() }
    }

    pub(super) fn trees(&self) -> &'a T {
        self.trees
    }

    /// The entries of a directory; `None` if there is none.
    pub(super) fn list(&self, path: &BytePath) -> Result<Listing, T::Error> {
        if let Some(known) = self.listed.borrow().get(path) {
            return Ok(known.clone());
        }
        let dir = if path.is_root() {
            Some(self.root)
        } else {
            self.find(path)?.and_then(|entry| if let Body::Dir(dir) = entry.body { Some(dir) } else { None })
        };
        let listing = dir.map(|dir| self.trees.list(&dir)).transpose()?.map(Rc::new);
        self.listed.borrow_mut().insert(path.clone(), listing.clone());
        Ok(listing)
    }

    /// What is at a path; the root is nowhere.
    pub(super) fn find(&self, path: &BytePath) -> Result<Option<Entry>, T::Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let Some(entries) = self.list(&parent)? else { return Ok(None) };
        let at = entries.binary_search_by(|entry| entry.name.as_bytes().cmp(name));
        Ok(at.ok().map(|at| entries[at].clone()))
    }

    /// What is at a path, unless it is a directory.
    pub(super) fn file(&self, path: &BytePath) -> Result<Option<Entry>, T::Error> {
        Ok(self.find(path)?.filter(|entry| entry.attr.kind != Kind::Dir))
    }

    /// The directory at a path.
    pub(super) fn dir(&self, path: &BytePath) -> Result<Option<Entry>, T::Error> {
        Ok(self.find(path)?.filter(|entry| entry.attr.kind == Kind::Dir))
    }
}

/// Whether two entries hold the same, whatever their permission bits.
pub(super) fn same_content(a: &Entry, b: &Entry) -> bool {
    match (&a.body, &b.body) {
        (Body::File(left), Body::File(right)) => left == right && a.attr.size == b.attr.size,
        (Body::Symlink(left), Body::Symlink(right)) => left == right,
        (Body::Dir(_), Body::Dir(_)) => true,
        (Body::Special, Body::Special) => a.attr.kind == b.attr.kind && a.attr.rdev == b.attr.rdev,
        _ => false,
    }
}

/// Whether two entries of one kind have the same permission bits. Those of a symbolic link mean nothing.
pub(super) fn same_mode(a: &Entry, b: &Entry) -> bool {
    a.attr.kind == Kind::Symlink || a.attr.perm == b.attr.perm
}

/// Whether two entries hold the same and have the same permission bits; directories apart from what is in them.
pub(super) fn same(a: &Entry, b: &Entry) -> bool {
    same_content(a, b) && same_mode(a, b)
}
