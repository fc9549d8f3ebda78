//! A frozen tree put together from entries that come one by one, in any order: what archives and repositories give.
//!
//! It is the only way in for paths that somebody else chose, so it is strict: a path is a chain of plain names below the
//! top, nothing is looked up through a symbolic link, and nothing of it ever touches a disk but as objects of the store.
//! Inode numbers of the previous tree stay with their paths, so that a tree made again differs only where it changed.

mod build;
mod contents;

use std::collections::BTreeMap;

use crate::model::{Attr, BytePath, Content, Kind, Name, NameError, Timestamp, Xattrs};
use crate::overlay::LowerError;
use crate::store::StoreError;

pub use build::{Assembled, Settings};
pub use contents::{Feed, store_contents};

/// The longest path that is taken, in bytes: what `PATH_MAX` leaves for one.
const MAX_PATH_BYTES: usize = 4095;

/// Position of an inode in an [`Assembly`].
pub type Slot = usize;

const TOP: Slot = 0;

/// Why an entry cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The path is none that a tree can have.
    #[error("`{}` is no path inside a tree: {why}", path.escape_ascii())]
    Path {
        /// As it came.
        path: Box<[u8]>,
        /// What is wrong with it.
        why: NameError,
    },
    /// The path is longer than a program could use.
    #[error("a path of {len_bytes} bytes is too long; the limit is {MAX_PATH_BYTES}")]
    TooLong {
        /// Its length.
        len_bytes: usize,
    },
    /// Something above the entry is no directory, a symbolic link perhaps.
    #[error("`{}` lies below something that is no directory", path.as_bytes().escape_ascii())]
    Below {
        /// The entry.
        path: BytePath,
    },
    /// A directory stands where the entry belongs.
    #[error("`{}` is a directory with entries and cannot be replaced", path.as_bytes().escape_ascii())]
    Occupied {
        /// The entry.
        path: BytePath,
    },
    /// The path has a component that no repository may have.
    #[error("`{}` has a name in it that is not allowed there", path.escape_ascii())]
    Forbidden {
        /// The path.
        path: Box<[u8]>,
    },
    /// A symbolic link whose target is empty, too long or no text.
    #[error("`{}` is a symbolic link whose target makes no sense", path.as_bytes().escape_ascii())]
    Target {
        /// The link.
        path: BytePath,
    },
    /// A hard link to what is not there, or is no file.
    #[error("`{}` is a link to `{}`, which is no file before it", path.as_bytes().escape_ascii(), target.as_bytes().escape_ascii())]
    NoTarget {
        /// The link.
        path: BytePath,
        /// What it names.
        target: BytePath,
    },
    /// The previous tree cannot be read.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an entry has beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with set-uid, set-gid and sticky.
    pub perm: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change; all other times are the same.
    pub mtime: Timestamp,
    /// Extended attributes, if any.
    pub xattrs: Option<Xattrs>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A file.
    File {
        /// Its content; see [`Assembly::fill`] for one that is not known yet.
        content: Content,
        /// Its length.
        len_bytes: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A fifo, socket or device node, with the kernel's 32-bit encoding of its device number.
    Special {
        /// Which.
        kind: Kind,
        /// The device number; 0 for what is no device.
        rdev: u32,
    },
}

#[derive(Debug)]
struct Inode {
    meta: Meta,
    body: Body,
    /// Names that stand for it.
    names: u32,
}

#[derive(Debug)]
enum Body {
    Leaf(Item),
    Dir(BTreeMap<Name, Slot>),
}

/// A tree in the making.
#[derive(Debug)]
pub struct Assembly {
    inodes: Vec<Inode>,
    /// What directories get that no entry speaks of, but for the time, which is that of the first entry in them.
    implied: Meta,
    /// Whether nothing was put yet that the top could have its time from.
    top_has_no_time: bool,
}

impl Assembly {
    /// An empty tree whose top, and every directory that is only implied by what is in it, has these attributes; the
    /// time of the latter is that of the first entry below them.
    #[must_use]
    pub fn new(implied: Meta) -> Self {
        let top = Inode { meta: implied.clone(), body: Body::Dir(BTreeMap::new()), names: 1 };
        Self { inodes: vec![top], implied, top_has_no_time: true }
    }

    /// Puts an entry in its place. What was there before is replaced, as a later entry of an archive replaces an earlier
    /// one; a directory that is there already takes on the attributes and keeps its entries. Returns where the inode is.
    ///
    /// # Errors
    /// [`AssembleError`] when the path cannot be had.
    pub fn put(&mut self, path: &BytePath, meta: Meta, item: Item) -> Result<Slot, AssembleError> {
        if std::mem::take(&mut self.top_has_no_time) {
            self.inodes[TOP].meta.mtime = meta.mtime;
        }
        let Some((dir, name)) = self.dir_of(path, meta.mtime)? else {
            // The top itself; it can only be a directory.
            return match item {
                Item::Dir => {
                    self.inodes[TOP].meta = meta;
                    Ok(TOP)
                }
                _ => Err(AssembleError::Occupied { path: path.clone() }),
            };
        };
        if let Some(&slot) = self.entries(dir).and_then(|entries| entries.get(&name))
            && let Body::Dir(below) = &self.inodes[slot].body
        {
            if matches!(item, Item::Dir) {
                self.inodes[slot].meta = meta;
                return Ok(slot);
            }
            if !below.is_empty() {
                return Err(AssembleError::Occupied { path: path.clone() });
            }
        }
        let body = match item {
            Item::Dir => Body::Dir(BTreeMap::new()),
            item => Body::Leaf(item),
        };
        self.inodes.push(Inode { meta, body, names: 0 });
        let slot = self.inodes.len() - 1;
        self.name(dir, name, slot);
        Ok(slot)
    }

    /// Says what a file holds that was put before its content was known.
    pub fn fill(&mut self, slot: Slot, stored: Content) {
        if let Body::Leaf(Item::File { content, .. }) = &mut self.inodes[slot].body {
            *content = stored;
        }
    }

    /// Gives a file that is in the tree another name.
    ///
    /// # Errors
    /// [`AssembleError::NoTarget`], or as [`Assembly::put`].
    pub fn link(&mut self, path: &BytePath, target: &BytePath) -> Result<(), AssembleError> {
        let missing = || AssembleError::NoTarget { path: path.clone(), target: target.clone() };
        let slot = self.find(target).ok_or_else(missing)?;
        if matches!(self.inodes[slot].body, Body::Dir(_)) {
            return Err(missing());
        }
        let mtime = self.inodes[slot].meta.mtime;
        let Some((dir, name)) = self.dir_of(path, mtime)? else { return Err(missing()) };
        if let Some(&there) = self.entries(dir).and_then(|entries| entries.get(&name)) {
            if there == slot {
                return Ok(());
            }
            if matches!(&self.inodes[there].body, Body::Dir(below) if !below.is_empty()) {
                return Err(AssembleError::Occupied { path: path.clone() });
            }
        }
        self.name(dir, name, slot);
        Ok(())
    }

    fn name(&mut self, dir: Slot, name: Name, slot: Slot) {
        self.inodes[slot].names += 1;
        let before = match &mut self.inodes[dir].body {
            Body::Dir(entries) => entries.insert(name, slot),
            Body::Leaf(_) => None,
        };
        if let Some(before) = before {
            self.inodes[before].names -= 1;
        }
    }

    fn entries(&self, slot: Slot) -> Option<&BTreeMap<Name, Slot>> {
        match &self.inodes[slot].body {
            Body::Dir(entries) => Some(entries),
            Body::Leaf(_) => None,
        }
    }

    fn find(&self, path: &BytePath) -> Option<Slot> {
        let mut slot = TOP;
        for name in path.components() {
            slot = *self.entries(slot)?.get(name)?;
        }
        Some(slot)
    }

    /// The directory that holds `path`, made if it is not there, and the last name; `None` for the top.
    fn dir_of(&mut self, path: &BytePath, mtime: Timestamp) -> Result<Option<(Slot, Name)>, AssembleError> {
        let len_bytes = path.as_bytes().len();
        if len_bytes > MAX_PATH_BYTES {
            return Err(AssembleError::TooLong { len_bytes });
        }
        let bad = |why| AssembleError::Path { path: path.as_bytes().into(), why };
        let Some(last) = path.file_name() else { return Ok(None) };
        let last = Name::new(last).map_err(bad)?;
        let mut dir = TOP;
        for name in path.parent().iter().flat_map(|parent| parent.components()) {
            let next = match &self.inodes[dir].body {
                Body::Dir(entries) => entries.get(name).copied(),
                Body::Leaf(_) => return Err(AssembleError::Below { path: path.clone() }),
            };
            dir = match next {
                Some(slot) => slot,
                None => {
                    let name = Name::new(name).map_err(bad)?;
                    let body = Body::Dir(BTreeMap::new());
                    self.inodes.push(Inode { meta: Meta { mtime, ..self.implied.clone() }, body, names: 0 });
                    let slot = self.inodes.len() - 1;
                    self.name(dir, name, slot);
                    slot
                }
            };
        }
        match self.inodes[dir].body {
            Body::Dir(_) => Ok(Some((dir, last))),
            Body::Leaf(_) => Err(AssembleError::Below { path: path.clone() }),
        }
    }
}

/// A path of an archive or a repository. Slashes before and after it, doubled ones and `.` fall away.
///
/// # Errors
/// [`AssembleError::Path`] for `..` and what no name can hold, [`AssembleError::TooLong`].
pub fn path(bytes: &[u8]) -> Result<BytePath, AssembleError> {
    if bytes.len() > MAX_PATH_BYTES {
        return Err(AssembleError::TooLong { len_bytes: bytes.len() });
    }
    BytePath::parse(bytes).map_err(|why| AssembleError::Path { path: bytes.into(), why })
}

impl Meta {
    fn attr(&self, kind: Kind, rdev: u32, size: u64) -> Attr {
        let mut attr = Attr::new(0, kind, self.perm, self.uid, self.gid, self.mtime);
        attr.rdev = rdev;
        attr.size = size;
        attr
    }
}
