//! Inodes of the delta: those that the session made or changed.

use crate::model::{Attr, Body, Content, DirRef, Ino, InodeRecord, Kind, Name, Origin, Xattrs};

use super::added::Added;
use super::cow_map::CowMap;
use super::extents::{Dead, Extents};

/// Listing positions below this belong to `.`, `..` and the base's entries; added names come after.
pub(super) const FIRST_ADDED_COOKIE: u64 = 1 << 40;

/// A file's frozen content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    pub content: Content,
    /// Length of the frozen file.
    pub len: u64,
}

/// The data of a file. Most files of a delta have no base, so it costs them a pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct FileData {
    base: Option<Box<Base>>,
    /// What was written, over what can still show of the base.
    pub extents: Extents,
}

impl FileData {
    /// The data of a file that the session has not changed.
    pub fn frozen(body: &Body, len: u64) -> Self {
        match body {
            Body::File(content) => Self::over(Base { content: *content, len }, len),
            _ => Self::default(),
        }
    }

    /// Nothing written over a base of which the first `visible` bytes show.
    fn over(base: Base, visible: u64) -> Self {
        Self { base: Some(Box::new(base)), extents: Extents::over_base(visible) }
    }

    /// The frozen content, if there is any.
    pub fn base(&self) -> Option<Base> {
        self.base.as_deref().copied()
    }

    /// How many of the base's first bytes can still show: truncation lowers it, growth does not raise it.
    pub fn visible(&self) -> u64 {
        self.extents.visible()
    }

    /// How many bytes of disk the file takes: what was written or allocated, and what shows of the base's data. Where
    /// the base has holes, it is not known whether writes hid these or data, and data is taken to show.
    pub fn allocated_bytes(&self) -> u64 {
        let held = self.extents.held();
        let shown = self.base().map_or(0, |base| base.content.data_bytes(base.len).min(self.visible() - held.hidden));
        held.allocated + shown
    }

    /// The frozen content, if the file of `size` bytes is exactly that.
    pub fn unchanged(&self, size: u64) -> Option<Content> {
        let base = self.base().filter(|base| base.len == size && self.visible() == size)?;
        self.extents.iter().next().is_none().then_some(base.content)
    }
}

/// What the delta says of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dentry {
    /// The base's entry is gone.
    Whiteout,
    /// The name stands for this inode.
    Link {
        ino: Ino,
        kind: Kind,
        /// Where it is listed; 0 when the base has the name too, whose position it then keeps.
        cookie: u64,
    },
}

/// The changed names of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct DirData {
    pub base: Option<DirRef>,
    pub names: CowMap<Name, Dentry>,
    /// Added names in the order they came, for listings.
    pub added: Added,
    pub whiteouts: u64,
}

impl DirData {
    /// The name stands for this inode; `next_cookie` is used up when it is a new name.
    pub fn link(&mut self, name: Name, ino: Ino, kind: Kind, next_cookie: &mut u64) {
        let cookie = match self.names.get(&name) {
            Some(Dentry::Link { cookie, .. }) => *cookie,
            Some(Dentry::Whiteout) => {
                self.whiteouts -= 1;
                0
            }
            None => {
                let cookie = *next_cookie;
                *next_cookie += 1;
                self.added.push(cookie, name.clone());
                cookie
            }
        };
        self.names.insert(name, Dentry::Link { ino, kind, cookie });
    }

    /// The name is gone. A name that the delta does not know is the base's.
    pub fn unlink(&mut self, name: Name) {
        match self.names.get(&name) {
            Some(Dentry::Whiteout) => {}
            Some(&Dentry::Link { cookie, .. }) if cookie != 0 => {
                self.added.remove(cookie);
                self.names.remove(&name);
            }
            Some(Dentry::Link { .. }) | None => {
                self.whiteouts += 1;
                self.names.insert(name, Dentry::Whiteout);
            }
        }
    }
}

/// What an inode is, beside its attributes.
#[derive(Clone, Debug)]
pub(super) enum InodeBody {
    File(Box<FileData>),
    Dir(Box<DirData>),
    /// Behind one pointer more, so that all others are smaller.
    Symlink(Box<Box<[u8]>>),
    Special,
}

/// An inode of the delta.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub attr: Attr,
    pub parent: Ino,
    pub body: InodeBody,
    pub xattrs: Option<Xattrs>,
}

impl Inode {
    /// The inode that a record describes, without written data.
    pub fn new(record: InodeRecord) -> Self {
        let InodeRecord { attr, parent, origin, symlink } = record;
        let body = match (attr.kind, origin) {
            (Kind::File, Origin::File { content, len_bytes }) => {
                let data = FileData::over(Base { content, len: len_bytes }, len_bytes.min(attr.size));
                InodeBody::File(Box::new(data))
            }
            (Kind::File, _) => InodeBody::File(Box::default()),
            (Kind::Dir, Origin::Dir(dir)) => {
                InodeBody::Dir(Box::new(DirData { base: Some(dir), ..DirData::default() }))
            }
            (Kind::Dir, _) => InodeBody::Dir(Box::default()),
            (Kind::Symlink, _) => InodeBody::Symlink(Box::new(symlink)),
            _ => InodeBody::Special,
        };
        Self { attr, parent, body, xattrs: None }
    }

    /// Takes on new attributes; a smaller size drops data.
    pub fn update(&mut self, attr: Attr, parent: Ino, dead: &mut Dead) {
        if let InodeBody::File(file) = &mut self.body
            && attr.size < self.attr.size
        {
            file.extents.truncate(attr.size, dead);
        }
        self.attr = attr;
        self.parent = parent;
    }

    /// The record that describes this inode, with its base in full.
    pub fn record(&self) -> InodeRecord {
        let (origin, symlink) = match &self.body {
            InodeBody::File(file) => match file.base() {
                Some(base) => (Origin::File { content: base.content, len_bytes: base.len }, Box::default()),
                None => (Origin::New, Box::default()),
            },
            InodeBody::Dir(dir) => (dir.base.map_or(Origin::New, Origin::Dir), Box::default()),
            InodeBody::Symlink(target) => (Origin::New, target.as_ref().clone()),
            InodeBody::Special => (Origin::New, Box::default()),
        };
        InodeRecord { attr: self.attr.clone(), parent: self.parent, origin, symlink }
    }

    /// How many bytes of disk a file takes; nothing for all else.
    pub fn allocated_bytes(&self) -> u64 {
        self.file().map_or(0, FileData::allocated_bytes)
    }

    pub fn file(&self) -> Option<&FileData> {
        match &self.body {
            InodeBody::File(file) => Some(file),
            _ => None,
        }
    }

    pub fn dir(&self) -> Option<&DirData> {
        match &self.body {
            InodeBody::Dir(dir) => Some(dir),
            _ => None,
        }
    }
}
